"""Input that nobody would write: whatever it is, only our own errors come out."""
