"""The feature store: named features, as they were known at any moment, and ready to serve.

Offline, every value ever learned is kept with two times: when it happened
(``event_timestamp``) and when it became known (``created_timestamp``). A training table is
joined *as known then*, so a restated or late value never leaks into the past. Online, the
latest row of every entity is kept packed for reads in microseconds, always with its age
and a status: a value older than its time to live is reported as stale, never as present.

The words are Feast's: feature views, entities, ``get_historical_features``,
``get_online_features``, ``materialize``.
"""

from esgml.features.store.online import OnlineStore
from esgml.features.store.results import IngestReport, OnlineFeatures, OnlineValue, Status
from esgml.features.store.store import FeatureStore
from esgml.features.store.views import Feature, FeatureView

__all__ = [
    "Feature",
    "FeatureStore",
    "FeatureView",
    "IngestReport",
    "OnlineFeatures",
    "OnlineStore",
    "OnlineValue",
    "Status",
]
