"""The knowledge base: one YAML file a regulation, and the data points they ask for.

The files beside this one are read with `knowledge()`. A folder of one's own, with files of the
same form, is read with ``knowledge(folder)``: it adds regulations, and a regulation with the id of
one that is here takes its place. `esgml.checks.knowledge` holds such a folder to the same rules.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from esgml.core.errors import DataError, MissingExtraError, NotFoundError
from esgml.core.storage import explained
from esgml.regulatory.facts import DataPoint, Fact, Regulation

_HERE = Path(__file__).parent
#: The file of data points; every other YAML file of a folder is a regulation.
DATA_POINTS = "data_points.yaml"
_LARGEST = 2_000_000


@dataclass(frozen=True)
class Knowledge:
    """Regulations by id, and the data points that their facts name."""

    regulations: Mapping[str, Regulation]
    data_points: Mapping[str, DataPoint]

    def regulation(self, name: str) -> Regulation:
        """Return one regulation.

        Raises
        ------
        NotFoundError
            If it is not known, naming those that are.
        """
        try:
            return self.regulations[name]
        except (KeyError, TypeError):
            raise NotFoundError(
                f"no regulation {str(name)[:40]!r} in the knowledge base.",
                code="regulation_unknown",
                remedy=f"Known: {', '.join(sorted(self.regulations))}.",
            ) from None

    def fact(self, name: str) -> Fact:
        """Return the fact with this id."""
        for regulation in self.regulations.values():
            for fact in regulation.facts:
                if fact.id == name:
                    return fact
        raise NotFoundError(f"no fact {name[:60]!r} in the knowledge base.", code="fact_unknown")

    def with_regulations(self, changed: Iterable[Regulation]) -> Knowledge:
        """Return the same knowledge with some regulations added or replaced."""
        return Knowledge({**self.regulations, **{r.id: r for r in changed}}, self.data_points)


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds: plain values only, no objects.

    Raises
    ------
    DataError
        If it is too large or no YAML.
    """
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("yaml", "text") from error
    with explained(path):
        size, text = path.stat().st_size, path.read_text(encoding="utf-8")
    if size > _LARGEST:
        raise DataError(f"larger than {_LARGEST} bytes.", code="knowledge_size", where=str(path))
    # The safe loader written in C where it is there: the same rules, ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        return loader.get_single_data()
    except (yaml.YAMLError, RecursionError) as error:
        raise DataError(
            "this is no YAML.", code="knowledge_yaml", where=str(path), remedy=str(error)
        ) from error
    finally:
        loader.dispose()


def _checked(kind: type[pydantic.BaseModel], value: Any, where: str) -> Any:
    try:
        return kind.model_validate(value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = list(first["loc"])
        if place[:1] == ["facts"] and len(place) > 1 and isinstance(value, dict):
            one = value["facts"][place[1]]
            place[1] = one.get("id", place[1]) if isinstance(one, dict) else place[1]
        raise DataError(
            f"{first['msg']}.",
            code="knowledge_fact",
            where=f"{where}: {'.'.join(map(str, place))}",
            remedy="See the page on the knowledge base for the form of a fact.",
        ) from error


def read_folder(folder: Path) -> Knowledge:
    """Read every file of one folder.

    Raises
    ------
    DataError
        Naming file and fact, if one is not of the right form.
    NotFoundError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise NotFoundError("no such folder of facts.", where=str(folder))
    regulations: dict[str, Regulation] = {}
    points: dict[str, DataPoint] = {}
    for path in sorted(folder.glob("*.yaml")):
        content = read_yaml(path)
        if path.name == DATA_POINTS:
            for one in content or ():
                point = _checked(DataPoint, one, path.name)
                points[point.id] = point
            continue
        regulation = _checked(Regulation, content, path.name)
        if regulation.id != path.stem:
            raise DataError(
                f"the file of regulation {regulation.id!r} must have its name.",
                code="knowledge_name",
                where=path.name,
            )
        regulations[regulation.id] = regulation
    return Knowledge(regulations, points)


@functools.cache
def _shipped() -> Knowledge:
    return read_folder(_HERE)


def knowledge(folder: str | Path | None = None) -> Knowledge:
    """Return the knowledge base, with the files of a folder of one's own added.

    Raises
    ------
    DataError
        If a file of the folder is not of the right form, or names a data point nobody defines.
    """
    known = _shipped()
    if folder is None:
        return known
    own = read_folder(Path(folder))
    merged = Knowledge(
        {**known.regulations, **own.regulations}, {**known.data_points, **own.data_points}
    )
    for regulation in own.regulations.values():
        for fact in regulation.facts:
            for point in fact.data_points:
                if point not in merged.data_points:
                    raise DataError(
                        f"fact {fact.id!r} asks for {point!r}, which no file defines.",
                        code="knowledge_data_point",
                        where=regulation.id,
                        remedy=f"Define it in {DATA_POINTS}.",
                    )
    return merged
