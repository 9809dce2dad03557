"""What runs left: their files, and what they registered."""
