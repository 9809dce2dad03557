"""Runs of a pipeline, wherever they take place: what is known of one, what it tells, how it is shown."""
