"""The page about a run: one HTML file without scripts and without the network."""
