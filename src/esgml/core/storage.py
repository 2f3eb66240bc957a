"""Writing so that a kill, a full disk or a reader at the wrong moment loses nothing."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from esgml.core.errors import IntegrityError, NotAllowedError, NotFoundError, StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn operating-system errors on `path` into errors that say what to do."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(
            "no such file or directory.",
            where=str(error.filename or path),
            remedy="Check the path.",
        ) from error
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                "the disk is full; nothing was changed.",
                code="disk_full",
                where=str(path),
                remedy="Free space or choose another place (--workspace, --output), then run the"
                " command again.",
            ) from error
        if error.errno in _READ_ONLY:
            raise StorageError(
                "this place cannot be written.",
                code="read_only",
                where=str(path),
                remedy="Choose a writable place (--workspace, --output).",
            ) from error
        raise StorageError(
            f"{error.strerror or error}.", where=str(path), remedy="Check the disk and try again."
        ) from error


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file to write, which takes the place of `path` once all of it is on the disk."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # not by tempfile, which lets nobody else read: who may is for the umask to say
        draft = path.parent / f".tmp-{secrets.token_hex(8)}"
        try:
            with open(draft, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            raise
        _sync_directory(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that readers see the old bytes or all of the new ones."""
    with open_atomic(path) as file:
        file.write(data)


def write_folder_atomic(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files that appears whole or not at all.

    Names may hold ``/`` for sub-folders. The folder must not exist yet: what is stored
    under a name is never changed.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = path.parent / f".tmp-{secrets.token_hex(8)}"
        staging.mkdir()
        try:
            for name, data in files.items():
                part = staging / name
                if not part.resolve().is_relative_to(staging.resolve()):
                    raise NotAllowedError(f"file name {name!r} leaves its folder.")
                part.parent.mkdir(parents=True, exist_ok=True)
                with open(part, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            for folder in (staging, *(p for p in staging.rglob("*") if p.is_dir())):
                _sync_directory(folder)
            try:
                os.rename(staging, path)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise StorageError(
                        "already exists; stored folders are never changed.",
                        code="exists",
                        where=str(path),
                        remedy="Choose another name, or remove it first.",
                    ) from error
                raise
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        _sync_directory(path.parent)


def read_folder(path: Path) -> dict[str, bytes]:
    """Return what `write_folder_atomic` wrote: name to content.

    Raises
    ------
    NotFoundError, StorageError
        If there is no such folder, or it cannot be read.
    """
    if not path.is_dir():
        raise NotFoundError("nothing is saved here.", where=str(path))
    with explained(path):
        return {
            one.relative_to(path).as_posix(): one.read_bytes()
            for one in sorted(path.rglob("*"))
            if one.is_file()
        }


def read_checked(path: Path, digest: str) -> bytes:
    """Read a file and refuse it unless its SHA-256 is `digest`."""
    with explained(path):
        data = path.read_bytes()
    if sha256(data) != digest:
        raise IntegrityError(
            "the content does not match its recorded SHA-256.",
            where=path.name,
            remedy="Restore the file from a backup or register the model again.",
        )
    return data
