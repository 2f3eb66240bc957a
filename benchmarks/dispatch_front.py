"""How much of the true front of cost and carbon NSGA-II finds on real house-weeks."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from benchmarks import dispatch_sets as sets

from esgml.optimization import library
from esgml.optimization.genetic.hypervolume import hypervolume
from esgml.optimization.linear import LinearProgram
from esgml.optimization.solvers.nsga2 import Nsga2


def shares_of_the_front() -> dict[str, Any]:
    """Return the hypervolume of NSGA-II on real house-weeks, as a share of the true front's.

    The true front is swept by 41 weighings of the exact solver; the reference point is the idle
    battery, so that only gains count.
    """
    shares: dict[str, list[float]] = {"rules": [], "relaxed": [], "none": []}
    seconds = dict.fromkeys(shares, 0.0)
    weeks = [(h, w) for h in sets.HOUSES for w in sets.judged_weeks()]
    for h, w in weeks:
        document = sets.dispatch(slice(w, w + sets.WEEK), (h,))
        p = library.load(document)
        program, form = LinearProgram(p.matrix()), p.matrix()
        idle = p.evaluate(p.baseline()).objectives[0]
        scale = idle[0] / idle[1]
        sweep = [
            form.plan(program.solve(np.array([1 - a, a * scale])).z, p.dimension)
            for a in np.linspace(0.0005, 0.9995, 41)
        ]
        true = hypervolume(p.evaluate(np.array(sweep)).objectives, idle)
        for seeding in shares:
            began = time.process_time()
            answer = Nsga2(seeding=seeding).solve(p)
            seconds[seeding] += time.process_time() - began
            front = [list(point["objective"].values()) for point in answer.front]
            shares[seeding].append(hypervolume(np.array(front), idle) / true)
    return {
        f"seeding {name}": {
            "mean": float(np.mean(found)),
            "least": float(np.min(found)),
            "seconds_each": seconds[name] / len(weeks),
        }
        for name, found in shares.items()
    }
