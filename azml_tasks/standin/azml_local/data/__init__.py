"""The datasets and datastores that a script sees."""
