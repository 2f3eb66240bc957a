"""Ingested tables as features: every reading from the moment it became known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from esgml.core.errors import NotFoundError
from esgml.core.units import is_unit
from esgml.features.store import Feature, FeatureStore, FeatureView
from esgml.features.store.views import CREATED, EVENT

if TYPE_CHECKING:
    import polars as pl

    from esgml.core.frames import SeriesSpec
    from esgml.data.load import Loaded

#: Feature view that holds the rows of ingested tables.
VIEW = "observations"
_KEY = "entity"
_TAKEN = (_KEY, EVENT, CREATED, "as_of")
_KNOWN = ("known_at", "recorded_at")
_MOST_NAME = 60


def keep_observations(store: FeatureStore, loaded: Loaded) -> None:
    """Keep every numeric column of a clean table in the feature store, and bring it online.

    Where the table says when a row became known (``known_at``), the rows that later ones
    corrected are kept too, each from its own moment on; elsewhere a reading counts as known
    when it happened.
    """
    names = feature_names(loaded.frame, loaded.spec)
    if not names:
        return
    features = tuple(
        Feature(new, unit=unit if is_unit(unit) else "", description=f"column {old}")
        for old, new in names.items()
        for unit in [loaded.spec.unit_of(old) or ""]
    )
    view = _view(store, features)
    store.ingest(view, _rows(loaded, names), infinite="null")
    store.materialize(views=[view.label])


def _rows(loaded: Loaded, names: dict[str, str]) -> pl.DataFrame:
    import polars as pl

    from esgml.data.timestamps import parse_times

    frame, spec = loaded.frame, loaded.spec

    def chosen(table: pl.DataFrame, *more: pl.Series) -> pl.DataFrame:
        return table.select(
            pl.col(spec.entity).cast(pl.String).alias(_KEY),
            pl.Series(EVENT, parse_times(table[spec.time]).values),
            *more,
            *(pl.col(old).cast(pl.Float64).alias(new) for old, new in names.items()),
        )

    known = next((c for c in frame.columns if c.lower() in _KNOWN), "")
    if not known:
        return chosen(frame)
    aside = loaded.quarantine
    corrected = aside.filter(pl.col("reason") == "superseded")
    tables = [frame]
    if corrected.height and {spec.entity, spec.time, known, *names} <= set(corrected.columns):
        tables.insert(0, corrected)
    parts = [chosen(t, parse_times(t[known]).values.alias(CREATED)) for t in tables]
    rows = pl.concat(parts).with_columns(pl.coalesce(CREATED, EVENT).alias(CREATED))
    # of rows known at one moment the cleaning chose one, which stands last
    return rows.unique([_KEY, EVENT, CREATED], keep="last", maintain_order=True)


def _view(store: FeatureStore, features: tuple[Feature, ...]) -> FeatureView:
    """Return the view of these columns: the stored one, or a new version of it."""
    try:
        stored = store.get_feature_view(VIEW)
    except NotFoundError:
        return store.register(FeatureView(VIEW, (_KEY,), features))
    if stored.features == features:
        return stored
    return store.register(FeatureView(VIEW, (_KEY,), features, version=stored.version + 1))


def feature_names(frame: pl.DataFrame, spec: SeriesSpec) -> dict[str, str]:
    """Return names fit for the store for all numeric columns; none stands for two columns."""
    found: dict[str, str] = {}
    for column in frame.columns:
        kind = frame.schema[column]
        if column in (spec.entity, spec.time) or not kind.is_numeric():
            continue
        name = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
        name = (name if name[:1].isalpha() else f"c_{name}")[:_MOST_NAME].rstrip("_")
        base, number = name, 2
        while name in found.values() or name in _TAKEN:
            name, number = f"{base[: _MOST_NAME - 3]}_{number}", number + 1
        found[column] = name
    return found
