"""A policy for batteries, learned from the past of sites, and played on one dispatch problem.

The policy is a small network; a rule stands beside it. The rule acts in every hour the network
has seen nothing like, and on every problem of a kind it did not learn; the plan says how often
and why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from esgml.core.errors import HistoryError, IntegrityError
from esgml.core.interfaces import Files
from esgml.optimization.environments.battery import Battery, BatteryFleet, Houses, fill_late
from esgml.optimization.environments.battery_features import DAY, FEATURES
from esgml.optimization.policy import CARD, WEIGHTS, GuardedPolicy, Policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.problems.battery_dispatch import BatteryDispatch
    from esgml.optimization.trial import Site

    Floats = NDArray[np.float64]
    Index = NDArray[np.int64]

WEEK = 7 * DAY
#: Weeks of a site that learning needs, beside those kept for its trial.
LEAST_WEEKS = 6
#: How the policy is learned; chosen on other houses and weeks than the published numbers are of.
SETTINGS: dict[str, Any] = {
    "steps": 30_000,
    "hidden": (128, 64),
    "batch": 32,
    "gamma": 0.99,
    "n_step": 1,
    "dueling": True,
    "gap": 0.5,
    "updates_per_step": 0.5,
    "warm_up": 1_000,
    "exploration": 0.2,
    "final_epsilon": 0.05,
    "final_rate": 0.05,
    "average": 0.4,
}
#: Margins tried for the guard, money; the one that does best on weeks of the training is kept.
MARGINS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)
#: House-weeks the margin is chosen on.
TRIED = 40
_SCHEMA = "esgml.battery-policy/1"
_STATE = "control.json"


def learn_policy(
    houses: Houses, battery: Battery, lessons: Index, seed: int = 0, **settings: Any
) -> Policy:
    """Learn from weeks of houses by deep Q-learning, for money alone.

    Parameters
    ----------
    houses : Houses
    battery : Battery
    lessons : array, shape (k, 2)
        House and first hour of every week that may be learned from.
    seed : int
    **settings
        Of `DQNAgent`, in place of those in `SETTINGS`.
    """
    from esgml.optimization.solvers.dqn import DQNAgent

    agent = DQNAgent(**{**SETTINGS, **settings})
    fleet: Any = BatteryFleet(houses, battery, lessons, gamma=agent.params.gamma, shaping=0.0)
    return agent.train(fleet, episodes=10**9, seed=seed)


def run_through(houses: Houses, battery: Battery, weeks: Index) -> BatteryFleet:
    """Return a fleet that runs each house-week once, for money alone."""
    return BatteryFleet(houses, battery, weeks, copies=len(weeks), in_turn=True, shaping=0.0)


def saved(fleet: BatteryFleet, act: Any) -> float:
    """Return the money that all house-weeks of a fleet save against idle batteries."""
    seen, _ = fleet.reset(seed=0)
    total = 0.0
    for _ in range(fleet.hours):
        seen, _, _, _, info = fleet.step(act(seen))
        total += float(info["saved"].sum())
    return total


def guard(policy: Policy, trial: BatteryFleet) -> GuardedPolicy:
    """Return the policy with the rule beside it and the margin that does best in a trial."""
    tried = {
        margin: saved(trial, GuardedPolicy(policy, fill_late, margin=margin).decide)
        for margin in MARGINS
    }
    best = max(MARGINS, key=lambda margin: tried[margin])
    trusted = bool(tried[best] >= saved(trial, fill_late))
    return GuardedPolicy(policy, fill_late, margin=best, trusted=trusted)


@dataclass(frozen=True)
class Played:
    """A plan that a policy made, hour by hour.

    Attributes
    ----------
    powers : array, shape (H, T)
        kW; positive charges.
    decisions, handed_over, own : int
        Decisions in all; those the rule took because nothing like it had been seen; and those
        in which the policy did something else than the rule.
    strange : dict of feature to int
        In how many decisions a feature lay outside its range.
    """

    powers: Floats
    decisions: int
    handed_over: int
    own: int
    strange: dict[str, int] = field(default_factory=dict)


class BatteryPolicy:
    """A guarded policy for one battery; `play` runs it through a dispatch problem.

    Parameters
    ----------
    guarded : GuardedPolicy
    battery : Battery
        The one it learned with.
    """

    def __init__(self, guarded: GuardedPolicy, battery: Battery) -> None:
        self.guarded, self.battery = guarded, battery

    @classmethod
    def learn(cls, sites: Sequence[Site], battery: Battery, kept: int, seed: int = 0) -> Self:
        """Learn from sites, all but their last `kept` hours.

        Raises
        ------
        HistoryError
            If nothing is left to learn from.
        """
        houses, lessons = in_one_row(sites, kept)
        if len(lessons) == 0:
            raise HistoryError(
                "the sites are too short to learn a policy from.",
                remedy=f"Give at least {LEAST_WEEKS + kept // WEEK} weeks of hours, or train"
                " with model auto.",
            )
        policy = learn_policy(houses, battery, lessons, seed)
        some = lessons[:: max(1, len(lessons) // TRIED)]
        return cls(guard(policy, run_through(houses, battery, some)), battery)

    def objections(self, problem: BatteryDispatch) -> list[str]:
        """Return why a problem is not of the kind that was learned; none where it is."""
        store, grid = problem.store, problem.grid
        found = []
        own = (self.battery.power / self.battery.capacity, self.battery.efficiency)
        asked = (
            store.power / max(store.capacity, 1e-9),
            store.charging * store.discharging,
        )
        if not np.allclose(own, asked, rtol=0.02):
            found.append("the battery is another one than it learned with")
        if problem.weights[1] > 0:
            found.append("carbon has a price, and it learned to save money alone")
        if store.hours != 1.0:
            found.append("steps are not hours")
        if grid.export.any():
            found.append("feeding in is paid")
        if np.isfinite(grid.limit) or np.isfinite(grid.carbon_cap) or grid.end_least > 0:
            found.append("there are limits")
        if problem.price_published is not None:
            found.append("prices are not known a day ahead")
        if problem.history.get("load", np.zeros((1, 0))).shape[1] < WEEK:
            found.append("the history is shorter than a week")
        return found

    def play(self, problem: BatteryDispatch) -> Played:
        """Decide every hour of a problem, knowing no load or sun after it.

        `objections` must be empty.
        """
        store, past = problem.store, problem.history
        sites, steps = problem.grid.shape
        begun = past["load"].shape[1]
        price = np.asarray(problem.grid.price)
        known = past.get("price", np.resize(price[:DAY], begun))
        # A tariff goes on beyond the plan as on its last day; nothing else is known of it.
        after = np.zeros((sites, DAY))
        houses = Houses(
            np.hstack([past["load"], problem.load, after]),
            np.hstack([past["solar"], problem.solar, after]),
            np.concatenate([known, price, np.resize(price[-DAY:], DAY)]),
            (problem.first_hour - begun) % DAY,
        )
        weeks = np.array([(site, begun) for site in range(sites)])
        battery = Battery(store.capacity, store.most, store.charging * store.discharging)
        fleet = BatteryFleet(
            houses, battery, weeks, hours=steps, copies=sites, in_turn=True, shaping=0.0
        )
        seen, _ = fleet.reset(seed=0, options={"level": store.start})
        powers, strange = np.zeros((sites, steps)), np.zeros(seen.shape[1], np.int64)
        handed_over = own_way = 0
        for t in range(steps):
            outside = self.guarded.policy.beyond(seen)
            strange += outside.sum(axis=0)
            handed_over += int(outside.any(axis=1).sum())
            action = self.guarded.decide(seen)
            own_way += int((action != fill_late(seen)).sum())
            seen, _, _, _, info = fleet.step(action)
            powers[:, t] = info["energy"] / store.hours
        return Played(
            powers,
            sites * steps,
            handed_over,
            own_way,
            {FEATURES[i]: int(strange[i]) for i in np.flatnonzero(strange)},
        )

    # Saving ---------------------------------------------------------------------------

    def to_files(self) -> Files:
        """Return the policy as named bytes: weights as safetensors, the rest as JSON."""
        state = {
            "schema": _SCHEMA,
            "battery": asdict(self.battery),
            "margin": self.guarded.margin,
            "trusted": self.guarded.trusted,
        }
        text = json.dumps(state, indent=1, sort_keys=True).encode()
        return {**self.guarded.policy.to_files(), _STATE: text}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Build a policy from the named bytes that `to_files` returned.

        Raises
        ------
        IntegrityError
            If a file is missing or changed.
        """
        try:
            state = json.loads(files[_STATE])
            if state["schema"] != _SCHEMA:
                raise ValueError(state["schema"])
            policy = Policy.from_files({name: files[name] for name in (WEIGHTS, CARD)})
            guarded = GuardedPolicy(
                policy,
                fill_late,
                margin=float(state["margin"]),
                trusted=bool(state["trusted"]),
            )
            return cls(guarded, Battery(**state["battery"]))
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("these are not the files of a battery policy.") from error


def in_one_row(sites: Sequence[Site], kept: int) -> tuple[Houses, Index]:
    """Return sites one after the other as one row of hours, and the weeks to learn from.

    Sites may have prices and times of their own. Each begins at midnight; a week to learn from
    has a week of its site before it and a day after it.

    Parameters
    ----------
    sites : sequence of Site
    kept : int
        Last hours of every site that are not learned from.

    Returns
    -------
    houses : Houses
        One house.
    lessons : array of int, shape (k, 2)
        House 0 and the first hour of each week.
    """
    parts: list[Floats] = []
    lessons: list[int] = []
    at = 0
    for site in sites:
        first = -site.first_hour % DAY
        count = (len(site.load) - kept - first) // DAY * DAY
        if count <= 0:
            continue
        rows = slice(first, first + count)
        parts.append(np.stack([site.load[rows], site.solar[rows], site.price[rows]]))
        lessons += range(at + WEEK, at + count - WEEK - DAY + 1, DAY)
        at += count
    row = np.concatenate(parts, axis=1) if parts else np.zeros((3, 1))
    found = np.array([(0, start) for start in lessons], dtype=np.int64).reshape(-1, 2)
    return Houses(row[None, 0], row[None, 1], row[2]), found
