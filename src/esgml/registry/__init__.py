"""Where trained models are kept: what was trained, on what, how good it is, who released it.

A **bundle** is everything one trained model needs, as named bytes: weights, calibration,
recipe, metrics, request schema, the fingerprint of its data and the version of its code.
Its identity is one SHA-256 over all of it, so the same training gives the same bundle, and
nothing in it can change unseen. A **version** is a bundle under a model's name; an
**alias** (``champion``, ``challenger``) points at one version and is what serving reads.
Every act is an entry in a **ledger** whose hashes chain, so that history cannot be
rewritten without a trace.

Versions, aliases and tags are MLflow's own tables, so its interface works on them; the
bytes lie in the workspace under ``bundles/<digest>``.
"""
