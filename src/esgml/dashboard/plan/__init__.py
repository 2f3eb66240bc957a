"""The page with the latest plan: what it gains, over what, and where the limit is."""
