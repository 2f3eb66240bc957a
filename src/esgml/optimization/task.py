"""The optimization task: what training, registry and serving know of planning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from esgml.core.errors import IntegrityError, UsageError
from esgml.core.frames import Column, FrameContract, Kind, SeriesSpec
from esgml.core.interfaces import Files
from esgml.core.operations import Operation
from esgml.core.tasks import Predictor, Task, TaskOptions, Trained

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from esgml.optimization.battery_policy import BatteryPolicy
    from esgml.optimization.problems.battery_dispatch import BatteryDispatch
    from esgml.optimization.solution import Found

_FILE = "dispatch.json"
_SCHEMA = "esgml.dispatch/1"
_PROBLEM = "battery_dispatch"
_POLICY = "dqn"
#: The battery a trial assumes: capacity kWh, power kW, round trip.
_BATTERY = {"capacity": 6.4, "power": 5.0, "efficiency": 0.9}


class DispatchPredictor(Predictor):
    """Answers what a battery should do, by the method that won its trial.

    Attributes
    ----------
    chosen : str
        ``mpc``, ``dqn`` or the name of a rule.
    policy : BatteryPolicy or None
        What decides, where `chosen` is ``dqn``.
    rule : str
        The rule that runs where the policy has learned nothing.
    """

    def __init__(self, state: Mapping[str, Any], policy: BatteryPolicy | None = None) -> None:
        self.chosen = str(state["chosen"])
        self.rule = str(state.get("rule", ""))
        self.battery = dict(state["battery"])
        self.policy = policy

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
        if self.policy is not None:
            method, made = self._by_policy(problem, rules[self.rule], self.policy)
            found = assemble(problem, method, made, seed=0, seconds=0.0)
        elif self.chosen in rules:
            why = f"The rule {self.chosen!r}, which no controller beat in the trial."
            found = assemble(problem, "rule", Found(rules[self.chosen], why), seed=0, seconds=0.0)
        else:
            found = Mpc().solve(problem)
        return answer(found)

    def _by_policy(
        self, problem: BatteryDispatch, rule: NDArray[np.float64], policy: BatteryPolicy
    ) -> tuple[str, Found]:
        """Return who decided, ``dqn`` or ``rule``, and the plan, saying where the rule acted."""
        from esgml.optimization.solution import Found

        if objections := policy.objections(problem):
            why = (
                f"The rule {self.rule!r}: the learned policy was not asked, as"
                f" {'; '.join(objections)}."
            )
            return "rule", Found(rule, why, details={"objections": objections})
        played = policy.play(problem)
        trusted = policy.guarded.trusted
        why = (
            "A policy learned by deep Q-learning decided hour by hour, knowing no load or sun to"
            f" come; in {played.own} of {played.decisions} decisions otherwise than the late"
            " filling rule beside it."
            if trusted
            else "The late filling rule decided hour by hour: the policy learned beside it saved no"
            " more on weeks of its own training."
        )
        if played.handed_over and trusted:
            why += (
                f" In {played.handed_over} of {played.decisions} decisions it had seen nothing"
                " like it in training, and the rule decided."
            )
        details = {
            "decisions": played.decisions,
            "unlike_the_rule": played.own,
            "outside_training": played.handed_over,
            "outside_by_feature": played.strange,
        }
        plan = played.powers.reshape(-1)
        return _POLICY if trusted else "rule", Found(plan, why, details=details)


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
        """Try a controller on the last weeks of every site and keep what did best.

        Predictive control (``auto``, ``mpc``) forecasts from the days before and fits nothing,
        so what is learned is whether it may run; a policy (``dqn``) is learned from the weeks
        before those. Where a simple rule does better, the rule is kept.
        """
        from esgml.optimization.problems.battery_dispatch import BatteryDispatch
        from esgml.optimization.trial import CONTROLLER, WEEK, WEEKS, sites, trial

        if options.model not in ("auto", CONTROLLER, _POLICY):
            raise UsageError(
                f"{options.model!r} plans with hindsight and controls nothing.",
                where="model",
                remedy=f"Use auto, {CONTROLLER} or {_POLICY}.",
            )
        found = sites(frame, spec)
        store = BatteryDispatch.from_document(
            {"problem": _PROBLEM, "load": [0.0], "price": 0.0, "battery": _BATTERY}
        ).store
        files: Files = {}
        if options.model == _POLICY:
            from esgml.optimization.battery_policy import BatteryPolicy
            from esgml.optimization.environments.battery import Battery

            policy = BatteryPolicy.learn(found, Battery(**_BATTERY), WEEKS * WEEK, options.seed)
            scores = trial(found, store, lambda p: policy.play(p).powers.reshape(-1), _POLICY)
            if scores["chosen"] == _POLICY:
                files = policy.to_files()
        else:
            scores = trial(found, store)
        state = {
            "schema": _SCHEMA,
            "chosen": scores["chosen"],
            "rule": scores["rule"],
            "battery": _BATTERY,
        }
        files[_FILE] = json.dumps(state, indent=1, sort_keys=True).encode()
        return Trained(
            task=self.name,
            model_name=scores["chosen"],
            files=files,
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
                    "Forecasts come from up to eight weeks before; a site that changed its habits"
                    " yesterday is forecast as it was."
                    if options.model != _POLICY
                    else "A policy decides for cost alone, for a battery and hours like those it"
                    " learned with; elsewhere the rule does, and the answer says so.",
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
            if state["chosen"] != _POLICY:
                return DispatchPredictor(state)
            from esgml.optimization.battery_policy import BatteryPolicy

            rest = {name: data for name, data in files.items() if name != _FILE}
            return DispatchPredictor(state, BatteryPolicy.from_files(rest))
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("these are not the files of a battery controller.") from error

    def operations(self) -> tuple[Operation, ...]:
        """Return the solve route, which needs no trained model, and the one of the champion."""
        from esgml.optimization.request import control_operation, solve_operation

        return (solve_operation(), control_operation())


TASK = OptimizationTask()
