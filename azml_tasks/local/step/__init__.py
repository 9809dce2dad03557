"""Preparation of steps in a local run: the shared run, arguments and environment variables."""
