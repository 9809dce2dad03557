"""The runs that a script sees: its own, its parent and children, and those of pipelines."""
