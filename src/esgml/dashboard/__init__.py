"""Web pages over the service: no framework, no outside assets, strict content policy.

Pages are drawn on the server, charts included, so that they work without scripts, print
well and can be read by a screen reader; a small script of our own adds what a pointer can
ask for. Every name that comes from data is escaped.
"""
