"""Checks of a project on this machine, without Azure: its files, its data, its scripts' arguments."""
