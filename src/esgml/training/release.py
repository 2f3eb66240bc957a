"""Whether a newly registered version becomes the champion, and why."""

from __future__ import annotations

from dataclasses import dataclass

from esgml.core.errors import EsgmlError, GateError
from esgml.registry import gate
from esgml.registry.bundle import Bundle
from esgml.registry.registry import CHAMPION, ModelRegistry


@dataclass(frozen=True)
class Release:
    """What became of a version.

    Attributes
    ----------
    promoted : bool
        Whether it is the champion now.
    reason : str
        One sentence.
    previous : str
        Version that was the champion before, empty where there was none.
    """

    promoted: bool
    reason: str
    previous: str = ""


def release(registry: ModelRegistry, name: str, version: str) -> Release:
    """Make `version` the champion if it beats the naive baseline and the champion so far.

    Two versions are compared on the backtest errors they share, window by window. Where
    that shows no clear difference, or they share none, the one that improves more on its
    own naive baseline wins: scores of different periods cannot be compared as they are.
    """
    bundle = registry.get(name, version)
    verdict = gate.judge(bundle.metrics)
    champion = next((v.version for v in registry.list(name) if CHAMPION in v.aliases), "")
    if champion == version:
        return Release(True, "it is the champion already.", champion)
    if not verdict.passed:
        return Release(False, f"not released: {verdict.reason}", champion)
    if champion:
        try:
            better, reason = _better(registry, name, bundle, champion)
        except EsgmlError as error:
            better, reason = False, f"version {champion} cannot be compared with: {error}"
        if not better:
            return Release(False, f"not released: {reason}", champion)
    else:
        reason = f"the first version; {verdict.reason}"
    try:
        registry.promote(name, version, CHAMPION, reason=reason)
    except GateError as error:
        return Release(False, error.message, champion)
    return Release(True, reason, champion)


def _better(registry: ModelRegistry, name: str, new: Bundle, champion: str) -> tuple[bool, str]:
    old = registry.get(name, champion)
    found = registry.compare(name, new.version, champion)
    if found.verdict in ("a", "b"):
        relation = "better" if found.verdict == "a" else "worse"
        return found.verdict == "a", (
            f"{found.metric} is {abs(found.difference):.4g} {relation} than that of version"
            f" {champion} on the {found.windows} windows both were tested on."
        )
    ours, theirs = _skill(new), _skill(old)
    if ours is None or theirs is None:
        better = found.difference < 0
        return better, (
            f"{found.metric} {found.value_a:.4g} is {'' if better else 'not '}better than"
            f" {found.value_b:.4g} of version {champion}."
        )
    better = ours > theirs
    return better, (
        f"it improves on the naive baseline by {ours:.1%},"
        f" {'more' if better else 'no more'} than version {champion} by {theirs:.1%}."
    )


def _skill(bundle: Bundle) -> float | None:
    """Return by what share a bundle is better than its naive baseline; None = not told."""
    verdict = gate.judge(bundle.metrics)
    if verdict.value is None or verdict.naive is None or verdict.naive == 0:
        return None
    gain = (verdict.naive - verdict.value) / abs(verdict.naive)
    return -gain if gate.headline(bundle.metrics)[1] else gain
