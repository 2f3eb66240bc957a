"""Serving: a bundle behind four verbs (decode, features, predict, encode) over HTTP."""
