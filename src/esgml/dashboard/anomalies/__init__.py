"""The page with the queue of alarms: what is at stake, why, and what a person says of each."""
