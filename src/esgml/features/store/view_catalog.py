"""The registered feature views of a workspace: one immutable JSON file per version."""

from __future__ import annotations

from pathlib import Path

from esgml.core.errors import NotFoundError, StorageError, UsageError
from esgml.core.storage import explained, write_folder_atomic
from esgml.core.units import is_unit
from esgml.features.store.views import FeatureView, check_name

_FILE = "view.json"


class ViewCatalog:
    """Feature views in a folder, ``<root>/<name>/v<version>/view.json``.

    Parameters
    ----------
    root : Path
        Created with the first registration.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        # versions never change, so what was read once stays true
        self._known: dict[tuple[str, int], FeatureView] = {}

    def register(self, view: FeatureView) -> FeatureView:
        """Store `view` and return it; registering the same again changes nothing.

        Raises
        ------
        UsageError
            If this version is already registered with another content, or a unit is
            unknown.
        StorageError
            If the workspace cannot be written.
        """
        for feature in view.features:
            if feature.unit and not is_unit(feature.unit):
                raise UsageError(
                    f"unknown unit {feature.unit!r} of feature {feature.name!r}.",
                    code="unit_unknown",
                    where=view.label,
                    remedy="Use a unit such as kWh, kgCO2e, m^2, USD or an empty text.",
                )
        folder = self._folder(view.name, view.version)
        if not folder.exists():
            try:
                write_folder_atomic(folder, {_FILE: view.to_json()})
            except StorageError as error:
                if error.code != "exists":  # else: another process was first, compare below
                    raise
        stored = self._read(view.name, view.version)
        if stored != view:
            raise UsageError(
                "this version is registered with another content, and versions never change.",
                code="version_exists",
                where=view.label,
                remedy=f"Register it as version {self.versions(view.name)[-1] + 1}.",
            )
        return stored

    def get(self, name: str, version: int | None = None) -> FeatureView:
        """Return a registered view, the newest version where none is given.

        Raises
        ------
        NotFoundError
            If there is no such view or version.
        """
        if version is not None and (name, version) in self._known:
            return self._known[name, version]
        versions = self.versions(name)
        if not versions or (version is not None and version not in versions):
            label = name if version is None else f"{name}@{version}"
            known = ", ".join(view.label for view in self.list()) or "none"
            raise NotFoundError(
                f"no feature view {label!r} is registered.",
                code="unknown_view",
                remedy=f"Register it first; registered are: {known}.",
            )
        return self._read(name, version or versions[-1])

    def versions(self, name: str) -> list[int]:
        """Return the registered versions of a view, oldest first."""
        folder = self._root / check_name(name, "view name")
        with explained(folder):
            if not folder.is_dir():
                return []
            entries = [path.name for path in folder.iterdir()]
        return sorted(int(n[1:]) for n in entries if n[:1] == "v" and n[1:].isdigit())

    def list(self) -> list[FeatureView]:
        """Return the newest version of every registered view, by name."""
        with explained(self._root):
            if not self._root.is_dir():
                return []
            names = sorted(p.name for p in self._root.iterdir() if not p.name.startswith("."))
        return [self.get(name) for name in names if self.versions(name)]

    def _folder(self, name: str, version: int) -> Path:
        return self._root / check_name(name, "view name") / f"v{int(version)}"

    def _read(self, name: str, version: int) -> FeatureView:
        key = (name, version)
        if key not in self._known:
            path = self._folder(name, version) / _FILE
            with explained(path):
                data = path.read_bytes()
            self._known[key] = FeatureView.from_json(data, where=str(path))
        return self._known[key]
