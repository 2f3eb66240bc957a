"""Plans for cost and carbon: exact where possible, learned where needed, the limit shown.

A `Problem` (`problem.py`) has typed variables, objectives with units, and constraints; it
comes from algebra (`expressions.py`) or from a vectorized simulator. A `Solver`
(`solver.py`, one file each under ``solvers/``) returns a `Solution` (`solution.py`) that
carries the baseline, the best simple rule and the physical limit beside its own value.
``problems/`` is the library; `engine.py` chooses a solver and says why.
"""
