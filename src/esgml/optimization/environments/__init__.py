"""Environments: decisions step by step, after Gymnasium's interface.

A single environment has ``reset(seed=...)`` and ``step(action)``. A vectorized one has
``num_envs`` as well, takes and returns arrays, and begins a new episode in the step that ends
the old one, giving the last observation as ``info["final_obs"]`` (Gymnasium calls this the
same-step mode). `side_by_side` makes the second out of several of the first. `battery` runs many
houses and weeks at once in NumPy.
"""
