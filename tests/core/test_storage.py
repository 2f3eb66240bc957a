"""Files and folders that appear whole, and that others may read as the umask says."""

import os
import stat

import pytest

from esgml.core.errors import StorageError
from esgml.core.storage import read_folder, write_atomic, write_folder_atomic


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)]
)
def test_who_may_read_is_for_the_umask_to_say(tmp_path, umask, file, folder):
    old = os.umask(umask)
    try:
        write_atomic(tmp_path / "a.csv", b"1")
        write_folder_atomic(tmp_path / "bundle", {"part/b.json": b"{}"})
    finally:
        os.umask(old)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "a.csv", tmp_path / "bundle", tmp_path / "bundle/part/b.json")
    }
    assert modes == {"a.csv": file, "bundle": folder, "b.json": file}


def test_nothing_is_left_of_what_could_not_be_written(tmp_path, monkeypatch):
    write_atomic(tmp_path / "a.csv", b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (
        lambda: write_atomic(tmp_path / "a.csv", b"new"),
        lambda: write_folder_atomic(tmp_path / "bundle", {"b.json": b"{}"}),
    ):
        with pytest.raises(StorageError) as caught:
            write()
        assert caught.value.code == "disk_full"
    assert read_folder(tmp_path) == {"a.csv": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_stored_folder_is_never_changed(tmp_path):
    write_folder_atomic(tmp_path / "bundle", {"b.json": b"1"})
    with pytest.raises(StorageError) as caught:
        write_folder_atomic(tmp_path / "bundle", {"b.json": b"2"})
    assert caught.value.code == "exists"
    assert caught.value.remedy
    assert read_folder(tmp_path / "bundle") == {"b.json": b"1"}
