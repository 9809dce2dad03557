"""What the file names that Microsoft or the makers of Python and Ubuntu have retired, or have announced to retire."""
