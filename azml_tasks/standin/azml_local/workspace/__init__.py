"""The workspace that a script sees: itself, its experiments and its models."""
