"""Runs of a pipeline on any backend: records, events, output."""
