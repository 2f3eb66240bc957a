"""Bundles and their registry: everything a model needs, hashed, versioned, promoted."""
