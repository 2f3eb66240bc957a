"""Rolling-horizon control of batteries: every step decided on forecasts, never on the future."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pydantic

from esgml.core.errors import UsageError
from esgml.core.interfaces import Hyperparameters, tunable
from esgml.optimization.dispatch.control import PERSISTENCE, Controller, Forecast
from esgml.optimization.problem import Problem
from esgml.optimization.problems.battery_dispatch import BatteryDispatch
from esgml.optimization.solution import Found
from esgml.optimization.solver import Solver

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class MpcParams(Hyperparameters):
    """Settings of the rolling-horizon controller."""

    ahead: int = tunable(36, 12, 72, description="steps looked ahead")
    kind: Literal["auto", "scenarios", "mean"] = "auto"
    levels: int = tunable(33, 17, 129, description="levels at which stored energy is valued")
    persistence: Annotated[float, pydantic.Field(ge=0, le=1)] = tunable(
        PERSISTENCE, 0.0, 1.0, description="how likely a scenario goes on for another hour"
    )


class Mpc(Solver):
    """The plan a controller would have carried out that sees no future load, sun or carbon.

    Each step knows the tariff ahead and what was measured up to now. ``scenarios`` values
    stored energy by stochastic dynamic programming over past days like today; ``mean``
    solves the mean forecast as a linear program and keeps limits that join several sites.
    Use it to see what is attainable in operation; `exact` on the same problem shows what
    perfect foresight would add.

    Weakness: the first days of a problem without `history` are decided on almost nothing.
    Another forecaster is set as `forecast` (see `dispatch.control`).
    """

    Params = MpcParams
    forecast: Forecast | None = None

    def _solve(self, problem: Problem, seed: int) -> Found:
        if not isinstance(problem, BatteryDispatch):
            raise UsageError(
                f"{problem.name} has no hours to be controlled one after the other.",
                code="not_sequential",
                remedy="Use it for battery_dispatch, or --method auto.",
            )
        grid = problem.grid
        joint = grid.limit < float("inf") or grid.carbon_cap < float("inf")
        kind = self.params.kind
        if kind == "auto":
            kind = "mean" if joint else "scenarios"
        if kind == "scenarios" and joint:
            raise UsageError(
                "limits that join hours or sites are not kept by scenarios.",
                code="joint_limits",
                remedy="Use kind=mean.",
            )
        controller = Controller(
            problem, self.params.ahead, self.forecast, persistence=self.params.persistence
        )
        if kind == "scenarios":
            plan = controller.by_scenarios(self.params.levels)
            how = "stored energy is valued over past days like today"
        else:
            plan = controller.by_mean()
            how = "the mean forecast is solved as a linear program"
        details: dict[str, Any] = {"kind": kind, "ahead": self.params.ahead}
        why = f"Controlled step by step without knowing the future: {how}."
        if (given := problem.foreseen) is not None and self.forecast is None:
            paths = given.net.shape[2]
            how = f"stored energy is valued over {paths} paths" if kind == "scenarios" else how
            maker = f" by {given.model}" if given.model else ""
            why = f"Planned on a forecast of load and sun{maker}: {how}."
            details |= {"forecaster": given.model, "paths": under_paths(problem, plan)}
        return Found(plan.reshape(-1), why, details=details)


def under_paths(problem: BatteryDispatch, plan: Floats) -> dict[str, float]:
    """Return what a plan is worth if load and sun go along the paths of the forecast.

    The plan is carried out as it stands, on every site's same path.

    Returns
    -------
    dict
        ``expected`` value, and the ``least`` and ``most`` of all paths.
    """
    given = problem.foreseen
    assert given is not None
    energy, _ = problem.store.run(plan.T)
    meter = given.net + energy[:, :, None]  # (T, H, K)
    earned = problem.weights[0] * problem.grid.export
    value = np.einsum("thk,t->hk", np.maximum(meter, 0.0), problem.value)
    value -= np.einsum("thk,t->hk", np.maximum(-meter, 0.0), earned)
    total = value.sum(axis=0)
    return {
        "expected": float((value * given.weights).sum()),
        "least": float(total.min()),
        "most": float(total.max()),
    }
