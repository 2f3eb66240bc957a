"""The optimization task: what training, registry and serving know of planning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from esgml.core.errors import IntegrityError, UsageError
from esgml.core.frames import Column, FrameContract, Kind, SeriesSpec
from esgml.core.operations import Operation
from esgml.core.tasks import Predictor, Task, TaskOptions, Trained

if TYPE_CHECKING:
    import polars as pl

_FILE = "dispatch.json"
_SCHEMA = "esgml.dispatch/1"
_PROBLEM = "battery_dispatch"
#: The battery a trial assumes: capacity kWh, power kW, round trip.
_BATTERY = {"capacity": 6.4, "power": 5.0, "efficiency": 0.9}


class DispatchPredictor(Predictor):
    """Answers what a battery should do, by the method that won its trial.

    Attributes
    ----------
    chosen : str
        ``mpc`` or the name of a rule.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.chosen = str(state["chosen"])
        self.battery = dict(state["battery"])

    def predict(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Plan one request: a ``battery_dispatch`` document, with or without that name.

        Where it names no battery, that of the trial is meant.
        """
        from esgml.optimization.problems.battery_dispatch import BatteryDispatch
        from esgml.optimization.request import MOST_COLUMNS, answer
        from esgml.optimization.solution import Found, assemble
        from esgml.optimization.solvers.mpc import Mpc

        if not isinstance(request, Mapping):
            raise UsageError("a request is an object.")
        if request.get("problem", _PROBLEM) != _PROBLEM:
            raise UsageError(
                "this model runs batteries.", where="problem", remedy=f"Use {_PROBLEM!r}."
            )
        problem = BatteryDispatch.from_document(
            {"battery": self.battery, **request, "problem": _PROBLEM}
        )
        if problem.dimension > MOST_COLUMNS:
            raise UsageError(
                f"a plan has at most {MOST_COLUMNS} columns.", code="too_large", where="load"
            )
        rules = problem.rules()
        if self.chosen in rules:
            why = f"The rule {self.chosen!r}, which no controller beat in the trial."
            found = assemble(problem, "rule", Found(rules[self.chosen], why), seed=0, seconds=0.0)
        else:
            found = Mpc().solve(problem)
        return answer(found)


class OptimizationTask(Task):
    """Plan operations for cost and carbon; learn how to run a battery from a site's past."""

    name: ClassVar[str] = "optimization"
    capability: ClassVar[str] = "optimization"
    title: ClassVar[str] = "Battery control"
    default_model: ClassVar[str] = "auto"
    frame: ClassVar[FrameContract] = FrameContract(
        "site hours",
        (
            Column("entity", Kind.TEXT, description="the site"),
            Column("timestamp", Kind.TIME, description="start of the hour"),
            Column("load_kwh", Kind.NUMBER, "kWh", description="what the site used"),
            Column("price", Kind.NUMBER, description="money per kWh drawn"),
            Column("solar_kwh", Kind.NUMBER, "kWh", required=False),
            Column("carbon_intensity_kg_kwh", Kind.NUMBER, "kgCO2e/kWh", required=False),
        ),
    )

    def train(self, frame: pl.DataFrame, spec: SeriesSpec, options: TaskOptions) -> Trained:
        """Try the controller on the last weeks of every site and keep what did best.

        The controller forecasts from the days before and fits nothing else, so what is
        learned is whether it may run: where a simple rule does better, the rule is kept.
        """
        from esgml.optimization.problems.battery_dispatch import BatteryDispatch
        from esgml.optimization.trial import CONTROLLER, WEEKS, sites, trial

        if options.model not in ("auto", CONTROLLER):
            raise UsageError(
                f"{options.model!r} plans with hindsight and controls nothing.",
                where="model",
                remedy=f"Use auto or {CONTROLLER}.",
            )
        found = sites(frame, spec)
        store = BatteryDispatch.from_document(
            {"problem": _PROBLEM, "load": [0.0], "price": 0.0, "battery": _BATTERY}
        ).store
        scores = trial(found, store)
        state = {"schema": _SCHEMA, "chosen": scores["chosen"], "battery": _BATTERY}
        return Trained(
            task=self.name,
            model_name=scores["chosen"],
            files={_FILE: json.dumps(state, indent=1, sort_keys=True).encode()},
            metrics={
                **scores,
                "primary": "share_of_attainable",
                "higher_is_better": True,
                "naive": {"share_of_attainable": 0.0, "cost": scores["cost"]["idle"]},
            },
            params={"model": options.model, "seed": options.seed, "battery": _BATTERY},
            schema={"request": _PROBLEM, "battery": _BATTERY},
            card={
                "intended_use": "Say what a battery beside a load should do in the next hours.",
                "data": {"sites": len(found), "hours": sum(len(s.load) for s in found)},
                "limits": [
                    f"Tried on the last {WEEKS} weeks of each site with a battery of"
                    f" {_BATTERY['capacity']} kWh; a request may name another.",
                    "Shares are of what perfect foresight gains over an idle battery.",
                    "Forecasts come from the four weeks before; a site that changed its habits"
                    " yesterday is forecast as it was.",
                ],
            },
        )

    def predictor(self, files: Mapping[str, bytes]) -> DispatchPredictor:
        """Build the predictor from the files of a trial.

        Raises
        ------
        IntegrityError
            If they are no such files.
        """
        try:
            state = json.loads(files[_FILE])
            if state["schema"] != _SCHEMA:
                raise ValueError(state["schema"])
            return DispatchPredictor(state)
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("these are not the files of a battery controller.") from error

    def operations(self) -> tuple[Operation, ...]:
        """Return the solve route, which needs no trained model."""
        from esgml.optimization.request import solve_operation

        return (solve_operation(),)


TASK = OptimizationTask()
