"""What plans and controllers save, and what searches and policies reach."""

from __future__ import annotations

from typing import Any

from benchmarks.kept import kept, markdown, rows_of, written

OWN = "scenario DP each hour"
LIMIT = "perfect foresight, exact"
NAMED = {
    OWN: f"**{OWN}** (`mpc`)",
    LIMIT: "perfect foresight (`exact`)",
    "GA, seeded by rules": "GA that knows the week, seeded by rules",
    "GA, seeded by rules and relaxed exact": "GA that knows the week, seeded by the exact plan",
    "GA, its defaults unseeded": "GA that knows the week, its defaults, unseeded",
}
METHODS = {
    "USD": ("cost", ",.1f"),
    "kg": ("carbon", ",.1f"),
    "share": ("share", ".1%"),
    "CPU s": ("cpu_seconds", ".2f"),
}


def for_cost() -> str:
    """Return every method of the 20 house-weeks, for cost."""
    return rows_of(kept("dispatch/cost/rows"), METHODS, "for cost", NAMED)


def for_carbon() -> str:
    """Return every method of the 20 house-weeks, for carbon."""
    return rows_of(kept("dispatch/carbon/rows"), METHODS, "for carbon", NAMED)


def hourly_tariff() -> str:
    """Return every method under the Spanish hourly tariff."""
    columns = {"EUR" if head == "USD" else head: column for head, column in METHODS.items()}
    return rows_of(kept("dispatch/spanish tariff/rows"), columns, "Spanish hourly tariff", NAMED)


def a_year() -> str:
    """Return how long a year of many houses takes."""
    columns = {
        "CPU s": ("cpu_seconds", ".1f"),
        "plan, USD": ("plan", ",.2f"),
        "limit, USD": ("limit", ",.2f"),
    }
    return rows_of(kept("dispatch/jointly bounded"), columns, "a year, 8,760 h, exact with proof")


def months() -> str:
    """Return how often the controller is no worse than a rule, house-month by house-month."""
    columns = {
        "house-months": ("count", ""),
        "of": ("of", ""),
        "all losses, USD": ("all_losses", ",.2f"),
        "all gains, USD": ("all_gains", ",.2f"),
    }
    return rows_of(kept("dispatch/house months/not_worse_than"), columns, "no worse than")


def months_saved() -> str:
    """Return what each saves over the idle battery in all house-months together."""
    saved = kept("dispatch/house months/saved")
    rows = [[name, written(value, ",.2f")] for name, value in saved.items()]
    return markdown(["all house-months together", "saved, USD"], rows)


def side_by_side() -> str:
    """Return vehicles and measures: today, rule, genetic algorithm, exact."""
    kinds = kept("dispatch/side by side")
    found = {f"{name} ({one['unit']})": one["rows"] for name, one in kinds.items()}
    columns = {
        "today": ("baseline/value", ",.1f"),
        "best rule": ("best rule/value", ",.1f"),
        "GA, seeded by rules": ("ga/value", ",.1f"),
        "s": ("ga/seconds", ".2f"),
        "exact": ("exact/value", ",.1f"),
        "s ": ("exact/seconds", ".2f"),
    }
    return rows_of(found, columns, "side by side")


def twenty() -> str:
    """Return what physics allows over each way to run the battery, and what a controller gets."""
    found: dict[str, dict[str, float]] = {}
    for kind in ("cost", "carbon"):
        rows = kept(f"dispatch/{kind}/rows")
        for name in rows:
            if name == "idle battery" or name.startswith("rule: "):
                today = rows[name][kind]
                found.setdefault(name, {})[f"{kind} limit"] = 1 - rows[LIMIT][kind] / today
                found[name][f"{kind} own"] = 1 - rows[OWN][kind] / today
    columns = {
        "cost: physics allows": ("cost limit", ".1%"),
        "a causal controller gets": ("cost own", ".1%"),
        "carbon: physics allows": ("carbon limit", ".1%"),
        "a causal controller gets ": ("carbon own", ".1%"),
    }
    return rows_of(found, columns, "less than with")


def front() -> str:
    """Return the share of the exact front's hypervolume that NSGA-II finds."""
    columns = {
        "mean": ("mean", ".1%"),
        "least": ("least", ".1%"),
        "CPU s each": ("seconds_each", ".1f"),
    }
    return rows_of(kept("dispatch/front"), columns, "share of the exact front's hypervolume")


def rastrigin() -> str:
    """Return the genetic algorithm on Rastrigin's function."""
    return _search("rastrigin", ".2g")


def knapsack() -> str:
    """Return the genetic algorithm on a knapsack."""
    return _search("knapsack", ",.0f")


def zdt1() -> str:
    """Return NSGA-II on ZDT1."""
    return _search("zdt1", ".4f")


def _search(task: str, form: str) -> str:
    """Return medians with quartiles by generation, and the time of one."""
    found = {name: row for name, row in kept(f"genetic/{task}/rows").items() if "quartiles" in row}
    marks = [key for key in found["esgml"] if key.startswith("after ")]
    rows = []
    for name, row in found.items():
        cells = [
            f"{written(row[mark], form)} ({written(low, form)} to {written(high, form)})"
            for mark, (low, high) in zip(marks, row["quartiles"], strict=True)
        ]
        rows.append([name, *cells, written(row["ms_per_generation"], ".2f")])
    return markdown([task, *marks, "ms a generation"], rows)


def learned() -> str:
    """Return battery policies by deep Q-learning beside the rule."""
    columns = {
        "mean": ("share_mean", ".1%"),
        "worst": ("share_worst", ".1%"),
        "best": ("best", ".1%"),
        "guarded: mean": ("guarded_mean", ".1%"),
        "worst ": ("guarded_worst", ".1%"),
        "CPU s each": ("cpu_seconds_each", ".1f"),
    }
    found = {
        name: {"share_mean": row.get("share"), "best": max(row.get("shares", ()), default=None)}
        | row
        for name, row in kept("dqn/batteries/rows").items()
    }
    return rows_of(found, columns, "share of the gain of perfect foresight")


def cartpole() -> str:
    """Return CartPole by both libraries, all seeds of a row together."""
    rows = []
    for name, runs in kept("dqn/cartpole").items():
        values: list[list[Any]] = [
            [run[key] for run in runs] for key in ("steps", "steps_per_cpu_second", "greedy_return")
        ]
        cells = [f"{written(min(one), ',.0f')} to {written(max(one), ',.0f')}" for one in values]
        solved = sum(run["solved"] for run in runs)
        rows.append([name, f"{solved} of {len(runs)}", *cells])
    head = ["CartPole-v1", "solved", "steps taken", "steps a CPU second", "greedy return"]
    return markdown(head, rows)
