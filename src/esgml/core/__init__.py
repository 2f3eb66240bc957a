"""The vocabulary every other package speaks; it imports nothing else of ours.

Read in this order: `errors` (what can go wrong), `units` and `frames` (what a table is),
`panel` (many time series as flat arrays), `interfaces` (what a model is), `tasks` (what a
capability is), `results` (what comes out), `catalog` (how models are found), `events`
(how serving and monitoring meet), `storage` and `settings` (where things live).
"""
