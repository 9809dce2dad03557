"""Start a step's script in a job of Azure ML v2, and hand over what it logs.

A job has no other file of ours: this package is carried in the step's code, so it imports the standard library alone.
"""
