"""What `invoke bench` measures: whole processes, as ratios against what a user would otherwise do."""
