"""The README's table of the other answers, one row a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from benchmarks.extraction_runs import pooled
from benchmarks.kept import document, markdown

Numbers = Mapping[str, Any]


class Row(NamedTuple):
    """One question: where its numbers lie, what they say, and the page that explains them."""

    question: str
    file: str
    says: Callable[[Numbers], str]
    page: str
    command: str


def _alarms(found: Numbers) -> str:
    mean, forest = found["mean"], found["peers"]["sklearn IsolationForest, 0.1"]
    return (
        f"{mean['fpr']:.2%} false alarms (worst meter {mean['fpr_worst']:.2%}),"
        f" {mean['recall']:.0%} of wrong readings and {mean['event_recall']:.0%} of events found;"
        f" scikit-learn's forest as it comes raises {forest['fpr']:.0%}"
    )


def _battery(found: Numbers) -> str:
    cost, carbon = found["cost"]["rows"], found["carbon"]["rows"]
    ours = "scenario DP each hour"
    rule = max((name for name in cost if name.startswith("rule")), key=lambda n: cost[n]["share"])
    green = max((n for n in carbon if n.startswith("rule")), key=lambda n: carbon[n]["share"])
    return (
        f"{cost[ours]['share']:.1%} of the cost and {carbon[ours]['share']:.1%} of the carbon that"
        f" perfect foresight saves; the best rules in hindsight: {cost[rule]['share']:.1%} of the"
        f" cost ({rule.removeprefix('rule: ')}), {carbon[green]['share']:.1%} of the carbon"
        f" ({green.removeprefix('rule: ')})"
    )


def _policy(found: Numbers) -> str:
    rows = found["batteries"]["rows"]
    own, ours = rows["DQN"], found["cartpole"]["esgml"]
    steps, peer = (
        [one["steps_per_cpu_second"] for one in found["cartpole"][name]]
        for name in ("esgml", "stable-baselines3")
    )
    return (
        f"{own['share_mean']:.1%} of the cost that perfect foresight saves (worst of"
        f" {len(own['shares'])} seeds {own['share_worst']:.1%}; the rule fill late"
        f" {rows['rule: fill late']['share']:.1%}); CartPole solved by"
        f" {sum(one['solved'] for one in ours)} of {len(ours)} seeds at {min(steps):,.0f} steps a"
        f" processor second or more, stable-baselines3 at most {max(peer):,.0f}"
    )


def _search(found: Numbers) -> str:
    said = []
    for task in ("rastrigin", "knapsack", "zdt1"):
        rows = found[task]["rows"]
        peer = next(name for name in rows if name.startswith("pymoo"))
        last = next(k for k in reversed(rows["esgml"]) if k.startswith("after "))
        own, theirs = (rows[name] for name in ("esgml", peer))
        said.append(
            f"{task} {last} generations {own[last]:.4g} at {own['ms_per_generation']:.2f} ms, pymoo"
            f" {theirs[last]:.4g} at {theirs['ms_per_generation']:.1f} ms"
        )
    return "; ".join(said)


def _tables(found: Numbers) -> str:
    peer = "PyOD chosen on the other tables"
    roc = found["verdict"]["all rows"]["roc_auc"]
    return f"ROC-AUC {roc['esgml ensemble']:.3f}, best PyOD detector {roc[peer]['mean']:.3f}"


def _texts(found: Numbers) -> str:
    said = []
    for kind in ("timeline", "thresholds", "duties"):
        one, last = (
            pooled(kind),
            [run[kind] for run in found["samples"].values() if kind in run][-1],
        )
        said.append(
            f"{kind} recall {one['recall']:.3f} at precision {one['precision']:.3f}"
            f" ({one['items']} items), on the newest sample {last['recall']:.3f} at"
            f" {last['precision']:.3f}"
        )
    return "; ".join(said)


def _head(found: Numbers, name: str) -> Numbers:
    """Return the first result of a head trained on all of its texts: the one that ships."""
    return next(
        one for one in found["results"] if one["head"] == name and one.get("share", 1.0) == 1.0
    )


def _laws(found: Numbers) -> str:
    said, plain = [], []
    for name in ("sector", "instrument"):
        one = _head(found, name)
        said.append(f"{name}s " + " / ".join(f"{one['scores'][k]:.3f}" for k in _F1))
        plain.append(" / ".join(f"{one['baseline'][k]:.3f}" for k in _F1))
    return f"{', '.join(said)}; plain words with logistic regression {' and '.join(plain)}"


_F1 = ("f1_micro", "f1_macro")


def _rules(found: Numbers) -> str:
    one = _head(found, "significance")
    key = "auc_significant"
    return f"AUC {one['scores'][key]:.3f}, plain words {one['baseline'][key]:.3f}"


def _shortfall(found: Numbers) -> str:
    years = found.values()
    own, same = (
        [one[name]["accuracy"] for one in years] for name in ("allocation known", "persistence")
    )
    return (
        f"accuracy {min(own):.3f} to {max(own):.3f},"
        f' saying "as this year" {min(same):.3f} to {max(same):.3f}'
    )


ROWS = (
    Row(
        "Alarms on five hand-labelled meters, learned without labels, judged forward",
        "anomaly",
        _alarms,
        "[anomalies](docs/anomaly.md#numbers)",
        "bench_anomaly.py",
    ),
    Row(
        "Battery hour by hour on 20 real house-weeks, without knowing the future",
        "dispatch",
        _battery,
        "[optimization](docs/optimization.md#numbers)",
        "bench_dispatch.py",
    ),
    Row(
        "The same weeks by a policy learned in 30,000 steps on others",
        "dqn",
        _policy,
        "[algorithms](docs/optimization_algorithms.md)",
        "bench_dqn.py",
    ),
    Row(
        "A genetic algorithm beside pymoo: objective (hypervolume) and time a generation",
        "genetic",
        _search,
        "[algorithms](docs/optimization_algorithms.md)",
        "bench_genetic.py",
    ),
    Row(
        "Anomalies in tables, six ADBench sets",
        "tabular",
        _tables,
        "[tables](docs/tabular.md#numbers)",
        "bench_tabular.py",
    ),
    Row(
        "Dates, limits and duties in EU law, passages annotated before the first run",
        "extraction_first_runs",
        _texts,
        "[regulation](docs/regulatory.md)",
        "bench_extraction.py",
    ),
    Row(
        "Labels of climate laws, a quarter held out by title (micro / macro F1)",
        "regulatory",
        _laws,
        "[regulation](docs/regulatory.md)",
        "bench_regulatory.py",
    ),
    Row(
        "Which US rules are significant, later months, rules not seen before",
        "regulatory",
        _rules,
        "[regulation](docs/regulatory.md)",
        "bench_regulatory.py",
    ),
    Row(
        "EU ETS shortfall a year ahead",
        "ets_shortfall",
        _shortfall,
        "[facts and risk](docs/knowledge.md)",
        "bench_ets_shortfall.py",
    ),
)


def questions() -> str:
    """Return the table."""
    rows = [
        [
            row.question,
            row.says(document(row.file)).replace("%", " %"),
            f"{row.page}, `{row.command}`",
        ]
        for row in ROWS
    ]
    return markdown(["question", "answer", "page, command"], rows, right=False)
