"""The page with the latest forecast, its intervals, and the way to a target."""
