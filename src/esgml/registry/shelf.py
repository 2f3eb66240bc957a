"""Bundles on disk, each in a folder named by its digest: written whole, read with every hash."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from pathlib import Path

from esgml.core.errors import IntegrityError, NotAllowedError, NotFoundError, StorageError
from esgml.core.settings import Settings
from esgml.core.storage import write_folder_atomic
from esgml.registry.bundle import Bundle

_DIGEST = re.compile(r"[0-9a-f]{64}")
_STALE_SECONDS = 86_400


class Shelf:
    """The folder ``bundles`` of a workspace.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def folder(self, digest: str) -> Path:
        """Return the folder of a bundle.

        Raises
        ------
        IntegrityError
            If that is no digest.
        """
        if not _DIGEST.fullmatch(digest):
            raise IntegrityError("the recorded digest is none.", code="digest", where=digest[:80])
        return self._settings.folder("bundles", digest)

    def read(self, digest: str) -> Bundle:
        """Return a bundle with every hash checked."""
        return Bundle.read(self.folder(digest), digest)

    def store(self, bundle: Bundle, digest: str) -> bool:
        """Write the bundle unless it is there; True if a damaged one had to be replaced."""
        folder = self.folder(digest)
        _sweep(folder.parent)
        repaired = False
        if folder.exists():
            try:
                self.read(digest)
                return False
            except (IntegrityError, NotFoundError, NotAllowedError):
                # The right bytes are at hand: put them back, keep the wrong ones for whoever
                # wants to know what happened.
                with contextlib.suppress(FileNotFoundError):
                    folder.rename(folder.with_name(f".damaged-{digest}-{time.time_ns()}"))
                repaired = True
        try:
            write_folder_atomic(folder, bundle.to_files())
        except StorageError as error:
            if error.code != "exists":
                raise
            self.read(digest)  # another process wrote the same content first
        return repaired


def _sweep(root: Path) -> None:
    """Remove what writers that were killed a day ago or more left behind."""
    for folder in (root, root.parent):
        for path in folder.glob(".tmp-*") if folder.is_dir() else ():
            with contextlib.suppress(OSError):  # its writer may just have finished
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
