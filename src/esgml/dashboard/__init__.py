"""Web pages over the service: no framework, no outside assets, strict content policy."""
