"""What is asked: from references such as ``view:feature`` to views and column names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from esgml.core.errors import UsageError
from esgml.features.store.view_catalog import ViewCatalog
from esgml.features.store.views import JOINER, FeatureView, parse_reference


@dataclass(frozen=True)
class Wanted:
    """Features asked of one view."""

    view: FeatureView
    features: tuple[str, ...]


def output_names(wanted: Sequence[Wanted], full: bool, taken: Sequence[str]) -> list[list[str]]:
    """Return the name of every asked feature in the answer, view by view.

    Raises
    ------
    UsageError
        If two columns of the answer would have the same name.
    """
    names = [[f"{w.view.name}{JOINER}{f}" if full else f for f in w.features] for w in wanted]
    used = set(taken)
    for name in (n for group in names for n in group):
        if name in used:
            raise UsageError(
                f"the answer would have two columns {name!r}.",
                code="name_collision",
                remedy="Rename the column of the entity table, or ask with full_feature_names=True."
                if not full
                else "Ask for each feature once, and rename the column of the entity table.",
            )
        used.add(name)
    return names


def resolve(
    catalog: ViewCatalog, features: Sequence[str] | None, columns: Sequence[str]
) -> list[Wanted]:
    """Return what is asked of each view, in the order first named.

    Parameters
    ----------
    catalog : ViewCatalog
    features : sequence of str, optional
        References; None = every view whose keys are among `columns`.
    columns : sequence of str
        What the caller's rows hold.

    Raises
    ------
    NotFoundError, UsageError
        If a view or feature is unknown, or nothing is asked.
    """
    if features is None:
        present = set(columns)
        wanted = [
            Wanted(view, view.feature_names)
            for view in catalog.list()
            if present.issuperset(view.entities)
        ]
        if not wanted:
            raise UsageError(
                "no registered feature view has these entity keys.",
                code="no_view",
                remedy="Register a view, or give the key columns of one.",
            )
        return wanted
    if isinstance(features, str) or not features:
        raise UsageError(
            "features must be a list of references with at least one entry.",
            code="bad_reference",
            remedy='Write ["view:feature"].',
        )
    asked: dict[str, tuple[FeatureView, list[str]]] = {}
    for reference in features:
        name, version, feature = parse_reference(reference)
        view = catalog.get(name, version)
        _, names = asked.setdefault(view.label, (view, []))
        names += view.feature_names if feature is None else [view.feature(feature).name]
    return [Wanted(view, tuple(dict.fromkeys(names))) for view, names in asked.values()]
