"""Feature views: a named group of features of one kind of entity, with owner and units."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from esgml.core.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    import polars as pl

EVENT = "event_timestamp"
CREATED = "created_timestamp"
#: Separates view and feature where full feature names are asked for.
JOINER = "__"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_REFERENCE = re.compile(r"([^@:]+)(?:@([1-9][0-9]{0,5}))?(?::([^@:]+))?")
_RESERVED = {EVENT, CREATED, "as_of"}
#: Names of the types a feature may have.
DTYPES = ("float64", "float32", "int64", "int32", "bool", "string", "timestamp")


def check_name(name: str, what: str) -> str:
    """Return `name` if it is a plain lower-case identifier, else raise `UsageError`.

    Names become folder names and database keys, so nothing that could leave a folder or a
    statement is ever accepted.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or JOINER in name:
        raise UsageError(
            f"{name!r} is not a valid {what}.",
            code="bad_name",
            remedy="Use 1-63 lower-case letters, digits and single underscores,"
            " starting with a letter.",
        )
    return name


def polars_type(dtype: str) -> pl.DataType:
    """Return the Polars type in which a feature of type `dtype` is stored."""
    import polars as pl

    types: dict[str, pl.DataType] = {
        "float64": pl.Float64(),
        "float32": pl.Float32(),
        "int64": pl.Int64(),
        "int32": pl.Int32(),
        "bool": pl.Boolean(),
        "string": pl.String(),
        "timestamp": pl.Datetime("us"),
    }
    return types[dtype]


@dataclass(frozen=True)
class Feature:
    """One feature: its name, type and unit.

    Parameters
    ----------
    name : str
    dtype : str
        One of ``float64``, ``float32``, ``int64``, ``int32``, ``bool``, ``string`` and
        ``timestamp`` (naive UTC, microseconds).
    unit : str
        A unit this package knows (``kWh``, ``kgCO2e``, ...); empty = none.
    description : str

    Raises
    ------
    UsageError
        If the name or the type is not allowed.
    """

    name: str
    dtype: str = "float64"
    unit: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "feature name")
        if self.dtype not in DTYPES:
            raise UsageError(
                f"unknown type {self.dtype!r} of feature {self.name!r}.",
                code="bad_dtype",
                remedy=f"Use one of {', '.join(DTYPES)}.",
            )


@dataclass(frozen=True)
class FeatureView:
    """A group of features that share their entity keys, owner, version and time to live.

    Parameters
    ----------
    name : str
    entities : tuple of str
        The key columns that identify a row (``entity``, or ``company`` and ``site``). Keys
        are compared as text: 7 and "7" are the same entity.
    features : tuple of Feature
    owner : str
        Who answers for the values.
    version : int
        From 1 up. A registered version never changes; a changed view is a new version.
    ttl : timedelta, optional
        Time to live: a value whose event is longer ago than this is not used. None = no
        limit.
    description : str

    Raises
    ------
    UsageError
        On bad or repeated names, no entity, no feature, a version below 1 or a time to
        live that is not positive.

    Examples
    --------
    >>> view = FeatureView("site_energy", ("entity",), (Feature("load", unit="kWh"),))
    >>> view.label
    'site_energy@1'
    """

    name: str
    entities: tuple[str, ...]
    features: tuple[Feature, ...]
    owner: str = ""
    version: int = 1
    ttl: timedelta | None = None
    description: str = ""
    feature_names: tuple[str, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        check_name(self.name, "view name")
        given: Any = self.entities  # a single key may be given as plain text
        entities = (given,) if isinstance(given, str) else tuple(given)
        object.__setattr__(self, "entities", entities)
        object.__setattr__(self, "features", tuple(self.features))
        names = tuple(feature.name for feature in self.features)
        object.__setattr__(self, "feature_names", names)
        for key in entities:
            check_name(key, "entity key")
        columns = [*entities, *names]
        if not entities or not names:
            raise UsageError(
                f"view {self.name!r} needs at least one entity key and one feature.",
                code="empty_view",
            )
        if len(set(columns)) != len(columns) or _RESERVED & set(columns):
            raise UsageError(
                f"view {self.name!r} repeats a column name or uses a reserved one"
                f" ({', '.join(sorted(_RESERVED))}): {columns}.",
                code="bad_name",
                remedy="Give every key and feature a name of its own.",
            )
        if isinstance(self.version, bool) or not isinstance(self.version, int) or self.version < 1:
            raise UsageError(
                f"the version of view {self.name!r} must be a whole number from 1 up,"
                f" got {self.version!r}.",
                code="bad_version",
            )
        if self.ttl is not None and self.ttl <= timedelta(0):
            raise UsageError(
                f"the time to live of view {self.name!r} must be positive, got {self.ttl}.",
                code="bad_ttl",
                remedy="Leave it out where values never expire.",
            )

    @property
    def label(self) -> str:
        """Name and version, as in ``site_energy@2``."""
        return f"{self.name}@{self.version}"

    @property
    def ttl_us(self) -> int | None:
        """Time to live in microseconds, None = no limit."""
        return None if self.ttl is None else self.ttl // timedelta(microseconds=1)

    def feature(self, name: str) -> Feature:
        """Return the feature called `name`.

        Raises
        ------
        UsageError
            If the view has no such feature.
        """
        for feature in self.features:
            if feature.name == name:
                return feature
        raise UsageError(
            f"view {self.label} has no feature {name!r}.",
            code="unknown_feature",
            remedy=f"It has {', '.join(self.feature_names)}.",
        )

    def to_json(self) -> bytes:
        """Return the view as JSON, the same bytes for the same view."""
        document: dict[str, Any] = {
            "schema": "esgml.feature_view/1",
            "name": self.name,
            "version": self.version,
            "entities": list(self.entities),
            "features": [
                {
                    "name": f.name,
                    "dtype": f.dtype,
                    "unit": f.unit,
                    "description": f.description,
                }
                for f in self.features
            ],
            "owner": self.owner,
            "ttl_us": self.ttl_us,
            "description": self.description,
        }
        return json.dumps(document, indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes, where: str = "") -> FeatureView:
        """Read a view back from the bytes `to_json` wrote.

        Raises
        ------
        IntegrityError
            If the bytes are not a view.
        """
        try:
            document: Mapping[str, Any] = json.loads(data)
            ttl = document["ttl_us"]
            return cls(
                name=document["name"],
                entities=tuple(document["entities"]),
                features=tuple(Feature(**feature) for feature in document["features"]),
                owner=document["owner"],
                version=document["version"],
                ttl=None if ttl is None else timedelta(microseconds=ttl),
                description=document["description"],
            )
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise IntegrityError(
                "this is not a registered feature view.",
                where=where,
                remedy="Restore the file from a backup.",
            ) from error


def parse_reference(reference: str) -> tuple[str, int | None, str | None]:
    """Split ``view``, ``view:feature``, ``view@2`` or ``view@2:feature`` into its parts.

    Returns
    -------
    view : str
    version : int or None
        None = the newest.
    feature : str or None
        None = all features of the view.

    Raises
    ------
    UsageError
        If the reference is of another form.
    """
    match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    if match is None:
        raise UsageError(
            f"{reference!r} does not name a feature.",
            code="bad_reference",
            remedy="Write view, view:feature, view@version or view@version:feature.",
        )
    view, version, feature = match.groups()
    check_name(view, "view name")
    if feature is not None:
        check_name(feature, "feature name")
    return view, int(version) if version else None, feature
