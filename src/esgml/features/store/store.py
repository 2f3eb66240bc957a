"""The feature store: register, ingest, join as known then, materialize, read online."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Self

import polars as pl

from esgml.core.errors import UsageError
from esgml.core.settings import Settings
from esgml.features.store.historical import join_historical
from esgml.features.store.materialize import Materialized, materialize
from esgml.features.store.offline import OfflineStore
from esgml.features.store.online import OnlineStore
from esgml.features.store.packing import RowCodec
from esgml.features.store.requests import output_names, resolve
from esgml.features.store.results import IngestReport, OnlineFeatures
from esgml.features.store.rows import Infinite, as_frame, prepare
from esgml.features.store.serving import OnlinePlan, read_online
from esgml.features.store.sorted_cache import SortedCache
from esgml.features.store.times import Clock, to_utc, utc_now
from esgml.features.store.view_catalog import ViewCatalog
from esgml.features.store.views import CREATED, FeatureView, check_name, parse_reference

#: Seconds for which an online read trusts its idea of a view's newest version.
_PLAN_SECONDS = 1.0
_MOST_PLANS = 1000


class FeatureStore:
    """Named features of a workspace, joined as known then and served with their age.

    Parameters
    ----------
    settings : Settings, optional
        Says where the workspace is, and the Redis URL of a shared online store; the online
        rows are in a SQLite file of the workspace where there is none.
    online : OnlineStore, optional
        Another online store than the settings ask for.
    clock : callable, optional
        Returns the present as naive UTC.
    cache_bytes : int
        Memory for sorted views kept between joins.

    Notes
    -----
    Times without a zone are UTC. A view name stands for its newest version; write
    ``name@2`` for another.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import datetime
    >>> import polars as pl
    >>> from esgml.core.settings import Settings
    >>> from esgml.features.store import Feature, FeatureStore, FeatureView
    >>> store = FeatureStore(Settings(workspace=tempfile.mkdtemp()))
    >>> view = store.register(FeatureView("site", ("entity",), (Feature("load", unit="kWh"),)))
    >>> day = datetime(2026, 1, 1)
    >>> rows = {"entity": ["a"], "event_timestamp": [day], "load": [7.0]}
    >>> store.ingest("site", pl.DataFrame(rows)).stored
    1
    >>> asked = pl.DataFrame({"entity": ["a"], "event_timestamp": [datetime(2026, 1, 2)]})
    >>> store.get_historical_features(asked)["load"].to_list()
    [7.0]
    >>> [done.entities for done in store.materialize(end=datetime(2026, 1, 2))]
    [1]
    >>> store.get_online_features([{"entity": "a"}], ["site:load"]).rows[0]["load"].value
    7.0
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        online: OnlineStore | None = None,
        clock: Clock = utc_now,
        cache_bytes: int = 512 << 20,
    ) -> None:
        self.settings = settings or Settings()
        self._catalog = ViewCatalog(self.settings.folder("features", "views"))
        self._offline = OfflineStore(self.settings.folder("features", "offline"))
        self._online = online or _online_store(self.settings)
        self._clock = clock
        self._cache = SortedCache(cache_bytes)
        self._plans: dict[Any, tuple[float, tuple[OnlinePlan, ...]]] = {}

    def register(self, view: FeatureView) -> FeatureView:
        """Make a feature view known; registering the same again changes nothing.

        Raises
        ------
        UsageError
            If this version exists with another content, or a unit is unknown.
        """
        stored = self._catalog.register(view)
        self._plans = {}
        return stored

    def list_feature_views(self) -> list[FeatureView]:
        """Return the newest version of every registered view, by name."""
        return self._catalog.list()

    def get_feature_view(self, name: str, version: int | None = None) -> FeatureView:
        """Return a registered view, the newest version where none is given.

        Raises
        ------
        NotFoundError
            If there is no such view or version.
        """
        return self._catalog.get(check_name(name, "view name"), version)

    def ingest(
        self,
        view: str | FeatureView,
        table: Any,
        *,
        created_timestamp: datetime | None = None,
        infinite: Infinite = "error",
    ) -> IngestReport:
        """Add rows to a view; a retried ingest changes nothing.

        Parameters
        ----------
        view : str or FeatureView
            A registered view.
        table : DataFrame (Polars, pandas, Arrow), dict of columns, or list of dict
            The entity keys, ``event_timestamp`` and the features; further columns are
            ignored and reported. ``created_timestamp`` says when a row became known.
            Without it the first value of an event counts as known when it happened, and a
            changed value of a stored event as known from now.
        created_timestamp : datetime, optional
            When all rows became known, in place of a column.
        infinite : {"error", "null"}
            What to do with infinite values. NaN is always stored as missing.

        Returns
        -------
        IngestReport
            Counts of everything that was stored, repeated, replaced by missing, ignored.

        Raises
        ------
        NotFoundError
            If the view is not registered.
        ColumnError, DataError
            If the rows do not fit the view or contradict each other; nothing is stored.
        StorageError
            If the workspace cannot be written; nothing is stored.
        """
        registered = self._view(view)
        if infinite not in ("error", "null"):
            raise UsageError(f'infinite must be "error" or "null", got {infinite!r}.')
        frame = as_frame(table)
        if created_timestamp is not None:
            if CREATED in frame.columns:
                raise UsageError(
                    f"{CREATED} is given both as a column and as an argument.",
                    code="two_created",
                    remedy="Give one of them.",
                )
            moment = to_utc(created_timestamp, CREATED)
            frame = frame.with_columns(pl.lit(moment, pl.Datetime("us")).alias(CREATED))
        rows = prepare(frame, registered, infinite)
        done = self._offline.append(registered, rows, self._clock())
        return IngestReport(
            view=registered.label,
            rows=frame.height,
            stored=done.stored,
            duplicates=done.duplicates,
            corrections=done.corrections,
            nan_as_null=rows.nan_as_null,
            infinite_as_null=rows.infinite_as_null,
            ignored=rows.ignored,
            partition=done.partition,
        )

    def get_historical_features(
        self,
        entities: Any,
        as_of: datetime | date | None = None,
        *,
        features: Sequence[str] | None = None,
        full_feature_names: bool = False,
        with_event_timestamps: bool = False,
    ) -> pl.DataFrame:
        """Join each row with the feature values that were known at its moment.

        Of each view the value with the greatest ``event_timestamp`` at or before the
        row's is taken, among the values known by ``as_of``; of several corrections of one
        event the one known last. Values older than the view's time to live are null.

        Parameters
        ----------
        entities : DataFrame (Polars, pandas, Arrow) or dict of columns
            The entity keys and ``event_timestamp``; an ``as_of`` column gives each row a
            moment of knowledge of its own. Repeated rows are answered each.
        as_of : datetime, optional
            The moment of knowledge of all rows: what the values were as known on that day.
            Default is each row's own ``event_timestamp``, so that nothing is used that
            could not have been known then.
        features : sequence of str, optional
            ``view``, ``view:feature`` or ``view@version:feature``; by default every
            registered view whose keys the table has.
        full_feature_names : bool
            Call columns ``view__feature``.
        with_event_timestamps : bool
            Add ``view__event_timestamp``, when the value was true.

        Returns
        -------
        DataFrame
            `entities` with the feature columns added, rows in the same order.

        Raises
        ------
        NotFoundError, UsageError
            If a feature is unknown, or two columns would have the same name.
        ColumnError, DataError
            If keys or times are missing or of the wrong type.
        """
        frame = as_frame(entities)
        return join_historical(
            frame,
            resolve(self._catalog, features, frame.columns),
            lambda view: self._cache.rows(view, self._offline),
            as_of=as_of,
            full_feature_names=full_feature_names,
            with_event_timestamps=with_event_timestamps,
        )

    def materialize(
        self,
        start: datetime | date | None = None,
        end: datetime | date | None = None,
        *,
        views: Sequence[str] | None = None,
    ) -> list[Materialized]:
        """Bring the newest row of every entity online.

        Incremental: only rows that are new since the last time are read, late ones
        included. An older event never replaces a newer one, so this may be repeated,
        killed and run in any order.

        Parameters
        ----------
        start : datetime, optional
            Consider all rows from here on again, new or not.
        end : datetime, optional
            Latest event to bring online; now by default.
        views : sequence of str, optional
            ``view`` or ``view@version``; all registered views by default.

        Returns
        -------
        list of Materialized
            What was done for each view.
        """
        now = self._clock()
        until = now if end is None else to_utc(end, "end")
        since = None if start is None else to_utc(start, "start")
        if since is not None and since > until:
            raise UsageError(f"start {since} is after end {until}.", code="bad_interval")
        chosen = self.list_feature_views() if views is None else [self._view(v) for v in views]
        return [
            materialize(view, self._offline, self._online, start=since, end=until, now=now)
            for view in chosen
        ]

    def get_online_features(
        self,
        entity_rows: Any,
        features: Sequence[str] | None = None,
        *,
        full_feature_names: bool = False,
    ) -> OnlineFeatures:
        """Read the latest materialized values, each with event time, age and status.

        Parameters
        ----------
        entity_rows : list of dict, dict or DataFrame
            The entity keys.
        features : sequence of str, optional
            ``view``, ``view:feature`` or ``view@version:feature``; by default every
            registered view whose keys the rows have.
        full_feature_names : bool
            Call values ``view__feature``.

        Returns
        -------
        OnlineFeatures
            A stale or missing value is None and says so.

        Raises
        ------
        NotFoundError, UsageError
            If a feature is unknown, or two values would have the same name.
        DataError
            If a key is missing.
        StorageError
            If the online store cannot be reached.
        """
        if isinstance(entity_rows, dict):
            entity_rows = [entity_rows]
        elif not isinstance(entity_rows, list):
            entity_rows = as_frame(entity_rows).to_dicts()
        if not entity_rows:
            return OnlineFeatures([], [])
        plans = self._plan(features, entity_rows[0], full_feature_names)
        return read_online(self._online, plans, entity_rows, self._clock())

    def close(self) -> None:
        """Let go of the online store's connections."""
        self._online.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _view(self, view: str | FeatureView) -> FeatureView:
        if isinstance(view, FeatureView):
            return self._catalog.get(view.name, view.version)
        name, version, feature = parse_reference(view)
        if feature is not None:
            raise UsageError(
                f"{view!r} names a feature, expected a view.",
                code="bad_reference",
                remedy="Write view or view@version.",
            )
        return self._catalog.get(name, version)

    def _plan(
        self, features: Sequence[str] | None, row: Mapping[str, Any], full: bool
    ) -> tuple[OnlinePlan, ...]:
        """Return the plan of an online read, worked out anew at most once a second."""
        if not isinstance(row, Mapping):
            raise UsageError("entity rows must be dicts of key to value.", code="bad_entity_row")
        if isinstance(features, str):
            features = [features]
        key = (tuple(row) if features is None else tuple(features), features is None, full)
        moment = time.monotonic()
        cached = self._plans.get(key)
        if cached is not None and moment - cached[0] < _PLAN_SECONDS:
            return cached[1]
        wanted = resolve(self._catalog, features, list(row))
        names = output_names(wanted, full, ())
        plans = tuple(
            OnlinePlan(
                view=want.view,
                label=want.view.label,
                codec=RowCodec(want.view),
                columns=tuple(
                    (name, want.view.feature_names.index(feature))
                    for name, feature in zip(output, want.features, strict=True)
                ),
            )
            for want, output in zip(wanted, names, strict=True)
        )
        if len(self._plans) >= _MOST_PLANS:
            self._plans = {}
        self._plans[key] = (moment, plans)
        return plans


def _online_store(settings: Settings) -> OnlineStore:
    if settings.redis_url:
        from esgml.features.store.online_redis import RedisOnlineStore

        return RedisOnlineStore(settings.redis_url)
    from esgml.features.store.online_sqlite import SqliteOnlineStore

    return SqliteOnlineStore(settings.folder("features", "online.db"))
