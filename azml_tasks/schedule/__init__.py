"""Schedules: times, descriptions and checks."""
