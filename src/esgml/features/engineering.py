"""The public face of the features: from timestamps, tables and panels to what models learn from."""

from __future__ import annotations

import datetime as dt
import numbers
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np

from esgml.core.errors import ColumnError, DataError, NotTrainedError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.features import ratios
from esgml.features.calendar import calendar_field, holiday_flags, local_time
from esgml.features.defaults import default_steps
from esgml.features.esg_columns import ROLES, find_columns
from esgml.features.pipeline import FeaturePipeline
from esgml.features.scaling import Scaler
from esgml.features.seasonality import Season, detect_seasonality, panel_seasonality
from esgml.features.selection import Selection, select_features

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from esgml.core.panel import Panel
    from esgml.features.step import FeatureStep

    Floats = NDArray[np.float64]

_TIME_FIELDS = (
    "hour_of_day",
    "day_of_week",
    "is_weekend",
    "day_of_month",
    "day_of_year",
    "month",
    "quarter",
)
_BASES = {"revenue": "revenue", "output": "output", "area": "area", "fte": "employees"}


class FeatureEngineeringPipeline:
    """Features of time, of sustainability ratios, and of the history of series.

    `extract_time_features` and `extract_esg_features` work on what they are given and learn
    nothing. `fit`, `transform` and `select` run a `FeaturePipeline` over a panel.

    Parameters
    ----------
    steps : sequence of FeatureStep, optional
        Chosen by `default_steps` for the panel where omitted.
    scaler : Scaler, optional
        Scales the panel features.
    country : str, optional
        ISO code whose public holidays become a feature.
    timezone : str
        IANA zone of the calendar; timestamps without a zone are UTC.

    Attributes
    ----------
    pipeline_ : FeaturePipeline
        Once fitted.

    Examples
    --------
    >>> f = FeatureEngineeringPipeline().extract_time_features("2024-03-09T14:30:00")
    >>> f["hour_of_day"], f["day_of_week"], f["is_weekend"]
    (14, 5, True)
    """

    def __init__(
        self,
        steps: Sequence[FeatureStep] | None = None,
        *,
        scaler: Scaler | None = None,
        country: str | None = None,
        timezone: str = "UTC",
    ) -> None:
        self.steps = None if steps is None else tuple(steps)
        self.scaler = scaler
        self.country = country
        self.timezone = timezone
        self.pipeline_: FeaturePipeline | None = None

    # Time and ratios -----------------------------------------------------------------------

    @overload
    def extract_time_features(self, timestamp: str | dt.datetime | dt.date) -> dict[str, Any]: ...
    @overload
    def extract_time_features(self, timestamp: Sequence[Any]) -> pl.DataFrame: ...

    def extract_time_features(self, timestamp: Any) -> Any:
        """Return the calendar features of one timestamp or of many.

        Parameters
        ----------
        timestamp : datetime, date, ISO 8601 text, datetime64, or a sequence or series of them
            Zoned ones are converted; those without a zone are UTC.

        Returns
        -------
        dict or DataFrame
            ``hour_of_day`` (0-23), ``day_of_week`` (Monday = 0), ``is_weekend``,
            ``day_of_month``, ``day_of_year``, ``month``, ``quarter``, and ``holiday`` where
            a country is set; a dict for one timestamp, a row each for many.

        Raises
        ------
        DataError
            If something is no timestamp.
        """
        import polars as pl

        many = isinstance(timestamp, Iterable) and not isinstance(timestamp, str)
        time = _as_times(list(timestamp) if many else [timestamp])
        local = local_time(time, self.timezone)
        found: dict[str, Any] = {}
        for name in _TIME_FIELDS:
            kind = bool if name == "is_weekend" else np.int64
            found[name] = calendar_field(local, name).astype(kind)
        if self.country:
            found["holiday"] = holiday_flags(local, self.country).astype(bool)
        if not many:
            return {name: values[0].item() for name, values in found.items()}
        return pl.DataFrame(found)

    def extract_esg_features(
        self,
        data: Any,
        *,
        columns: Mapping[str, str] | None = None,
        scope2: Literal["location", "market"] | None = None,
    ) -> Any:
        """Return the ratios of sustainability reporting, row by row.

        Columns whose names end in a unit are converted to kgCO2e and kWh first; others are
        taken as they are. Location- and market-based Scope 2 are never added.

        Parameters
        ----------
        data : mapping of column to number, or table (Polars, pandas, mapping of columns)
            Quantities are found by the names of their columns: emissions or scopes, energy,
            renewable energy, revenue, output, floor area, employees.
        columns : mapping of quantity to column, optional
            Where the names do not tell; quantities are those of ``esg_columns.ROLES``.
        scope2 : {"location", "market"}, optional
            Which Scope 2 enters the total: the location-based one where there are both, if
            nothing is said.

        Returns
        -------
        dict or DataFrame
            Of these, what the data has columns for: ``emissions_total``;
            ``emissions_intensity`` (per revenue, or else output, area, FTE) and
            ``emissions_intensity_by_{revenue,output,area,fte}``; ``energy_intensity_by_...``;
            ``renewable_share`` (0-1) and ``renewable_percentage`` (0-100);
            ``implied_factor`` (Scope 2, or else all emissions, per energy); and
            ``completeness`` (share of those quantities that hold a value). A dict (missing =
            NaN) for one row.

        Raises
        ------
        ColumnError
            If no quantity is found, a name is ambiguous, or the Scope 2 asked for is not
            there.
        UsageError
            If `scope2` is neither of the two.
        UnitError
            If a column's unit is of the wrong kind.
        """
        import polars as pl

        single = isinstance(data, Mapping) and all(
            value is None or isinstance(value, (numbers.Real, str)) for value in data.values()
        )
        if isinstance(data, Mapping):
            frame = pl.DataFrame({k: [v] if single else v for k, v in data.items()})
        else:
            from esgml.data.sources import read

            frame = read(data)
        roles = find_columns(frame.columns, columns)
        if not roles:
            raise ColumnError(
                f"no sustainability quantity among {frame.columns}.",
                code="column_missing",
                remedy=f"Name the columns: columns={{quantity: column}} of {', '.join(ROLES)}.",
            )
        _check_scope2(scope2, roles)
        found = _esg_ratios({role: _stored(frame, name) for role, name in roles.items()}, scope2)
        if single:
            return {name: float(values[0]) for name, values in found.items()}
        return pl.DataFrame(found)

    def detect_seasonality(self, data: Panel | Sequence[float] | Floats) -> list[Season]:
        """Return the cycles of a series or of a panel, strongest first."""
        from esgml.core.panel import Panel

        if isinstance(data, Panel):
            return panel_seasonality(data)
        return detect_seasonality(np.asarray(data, dtype=np.float64))

    # Panels --------------------------------------------------------------------------------

    def fit(self, panel: Panel) -> Self:
        """Choose the steps where none were given, and fit them to the past in `panel`."""
        steps = self.steps or default_steps(panel, country=self.country, timezone=self.timezone)
        self.pipeline_ = FeaturePipeline(steps, self.scaler).fit(panel)
        return self

    def transform(self, panel: Panel) -> Floats:
        """Return the features of every row, shape (rows, k), in the order of `names`."""
        return self._fitted().transform(panel)

    def fit_transform(self, panel: Panel) -> Floats:
        """Fit to a panel and return its features."""
        return self.fit(panel).transform(panel)

    def select(self, panel: Panel, **settings: Any) -> Selection:
        """Keep only the features that tell about the target; fits again with them.

        Parameters
        ----------
        panel : Panel
            Training data.
        **settings
            As `select_features` takes them (``method``, ``best``, ``min_stability``, ...).

        Raises
        ------
        DataError
            If no feature tells anything about the target; nothing is changed then.
        """
        fitted = self.pipeline_ or self.fit(panel)._fitted()
        order = np.argsort(panel.time, kind="stable")
        chosen = select_features(
            fitted.transform(panel)[order], panel.values[order], fitted.names, **settings
        )
        if not chosen.names:
            raise DataError(
                "no feature tells anything about the target.",
                code="no_features",
                remedy="Give more history, covariates, or a lower threshold.",
            )
        self.pipeline_ = fitted.select(chosen.names).fit(panel)
        return chosen

    def to_frame(self, panel: Panel) -> pl.DataFrame:
        """Return the features as a table with ``entity``, ``target`` and ``timestamp``."""
        import polars as pl

        fitted = self._fitted()
        values = fitted.transform(panel)
        lengths = panel.lengths
        return pl.DataFrame(
            {
                "entity": np.repeat(
                    np.array([k.entity for k in panel.keys], dtype=object), lengths
                ),
                "target": np.repeat(
                    np.array([k.target for k in panel.keys], dtype=object), lengths
                ),
                "timestamp": panel.time,
                **{name: values[:, j] for j, name in enumerate(fitted.names)},
            },
            schema_overrides={"entity": pl.String, "target": pl.String},
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the panel features."""
        return self._fitted().names

    @property
    def warm_up(self) -> int | None:
        """How many rows before a row its features may read; None = the whole history."""
        return self._fitted().warm_up

    def save(self, path: str | Path) -> None:
        """Write the fitted panel features to a JSON file."""
        self._fitted().save(path)

    @classmethod
    def load(cls, path: str | Path) -> FeatureEngineeringPipeline:
        """Read back what `save` wrote, ready to transform."""
        fitted = FeaturePipeline.load(path)
        pipeline = cls(fitted.steps, scaler=fitted.scaler)
        pipeline.pipeline_ = fitted
        return pipeline

    def _fitted(self) -> FeaturePipeline:
        if self.pipeline_ is None:
            raise NotTrainedError(
                "the feature pipeline is not fitted.", remedy="Call fit(panel) first."
            )
        return self.pipeline_


def _as_times(values: Sequence[Any]) -> NDArray[np.datetime64]:
    """Return timestamps of mixed kinds as UTC without a zone."""
    found = np.empty(len(values), dtype="datetime64[us]")
    for i, value in enumerate(values):
        try:
            if isinstance(value, str):
                value = dt.datetime.fromisoformat(value.strip())
            if isinstance(value, dt.datetime) and value.tzinfo is not None:
                value = value.astimezone(dt.UTC).replace(tzinfo=None)
            if not isinstance(value, (dt.date, np.datetime64)):
                raise ValueError("not a timestamp")
            found[i] = np.asarray(value, dtype="datetime64[us]")
            if np.isnat(found[i]):
                raise ValueError("missing")
        except (ValueError, OverflowError) as error:
            raise DataError(
                f"{value!r} is no timestamp ({error}).",
                code="timestamp_unreadable",
                where=f"row {i}",
                remedy="Give ISO 8601 such as 2024-03-09T14:30:00Z, or datetime objects.",
            ) from error
    return found


def _stored(frame: pl.DataFrame, column: str) -> Floats:
    """Return a column in the unit quantities of its kind are stored in."""
    import polars as pl

    try:
        values = frame[column].cast(pl.Float64).to_numpy()
    except pl.exceptions.PolarsError as error:
        raise ColumnError(
            f"column {column!r} holds values that are no numbers.",
            code="column_kind",
            remedy="Convert the column to numbers.",
        ) from error
    unit = SeriesSpec().unit_of(column)
    if not unit:
        return np.asarray(values)
    from esgml.core.units import convert, stored_unit

    return convert(values, unit, stored_unit(unit))


def _check_scope2(scope2: str | None, roles: Mapping[str, str]) -> None:
    """Refuse to give the one Scope 2 for the other."""
    if scope2 not in (None, "location", "market"):
        raise UsageError(
            f"no Scope 2 is called {scope2!r}.",
            remedy="Use 'location' or 'market', or leave it out.",
        )
    there = {"location": "scope2", "market": "scope2_market"}
    other = {"location": "scope2_market", "market": "scope2"}
    if scope2 and there[scope2] not in roles and other[scope2] in roles:
        raise ColumnError(
            f"no {scope2}-based Scope 2 among the columns; there is {roles[other[scope2]]!r}.",
            code="column_missing",
            remedy=f"Name it: columns={{{there[scope2]!r}: ...}}.",
        )


def _esg_ratios(data: dict[str, Floats], scope2: str | None) -> dict[str, Floats]:
    """Return every ratio the quantities allow."""
    chosen = "scope2_market" if scope2 == "market" else "scope2"
    electricity = data.get(chosen, data.get("scope2", data.get("scope2_market")))
    scopes = [data[s] for s in ("scope1", "scope3") if s in data]
    if electricity is not None:
        scopes.append(electricity)
    found: dict[str, Floats] = {}
    emissions = data.get("emissions")
    if emissions is None and scopes:
        emissions = np.sum(scopes, axis=0)
    if emissions is not None:
        found["emissions_total"] = emissions
    for name, total in (("emissions", emissions), ("energy", data.get("energy"))):
        if total is None:
            continue
        by = {
            f"{name}_intensity_by_{base}": ratios.emissions_intensity(total, data[role])
            for base, role in _BASES.items()
            if role in data
        }
        if by and name == "emissions":
            found["emissions_intensity"] = next(iter(by.values()))
        found.update(by)
    if "renewable" in data and "energy" in data:
        share = ratios.renewable_share(data["renewable"], data["energy"])
        found["renewable_share"], found["renewable_percentage"] = share, 100.0 * share
    booked = electricity if electricity is not None else emissions
    if booked is not None and "energy" in data:
        found["implied_factor"] = ratios.implied_factor(booked, data["energy"])
    there = np.array([np.isfinite(values) for values in data.values()], dtype=np.float64)
    found["completeness"] = there.mean(axis=0)
    return found
