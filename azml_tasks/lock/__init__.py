"""Lock files of environments: what is resolved, by which tool, where it is stored, and whether it is up to date."""
