"""The service: a bundle behind four verbs - decode, features, predict, encode.

A request is read strictly (`wire`), told apart by protocol (`protocol`, `rows`,
`series_request`), joined with whatever else is waiting (`batching`), answered by the model
that the registry's alias names at that moment (`hub`), and told to whoever listens
(`core.events`). The gate in front (`gateway`) keeps callers out, caps what they send, sheds
what cannot be served in time, and never sheds health checks.
"""
