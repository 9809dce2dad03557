"""Frames of small tables, of the stand-in and of Azure ML's own reader (`python -m tests.frames`)."""
