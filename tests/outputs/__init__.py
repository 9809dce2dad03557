"""What commands print and write, taken before a change and compared after it.

It runs commands alone and imports nothing of the package, so that it works however the package is laid out.
"""
