"""How tables and files on disk are read: one implementation for the checks, the local backend and a step."""
