import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.errors import UsageError
from esgml.training.checkpoints import Checkpoints


def never():
    raise AssertionError("a stored step is not computed again")


def test_a_step_is_computed_once(tmp_path):
    told = []
    first = Checkpoints(tmp_path / "steps", lambda *message: told.append(message))
    assert first("fit", lambda: b"one") == b"one"
    second = Checkpoints(tmp_path / "steps")
    assert second("fit", never) == b"one"
    assert second.steps["fit"]["reused"] and not first.steps["fit"]["reused"]
    assert told[0][0] == "fit" and told[0][2] is False


@given(name=st.text(min_size=1, max_size=120), data=st.binary(max_size=200))
def test_any_name_and_any_bytes_stay_inside_the_folder(tmp_path_factory, name, data):
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    root = tmp_path_factory.mktemp("steps")
    if len(name.encode()) > 60:
        name = name[:15]
    assert Checkpoints(root / "in")(name, lambda: data) == data
    assert Checkpoints(root / "in")(name, never) == data
    assert [p.name for p in root.iterdir()] == ["in"]
    assert len(list((root / "in").iterdir())) == 1


@pytest.mark.parametrize("damage", [b"", b"short", b"0" * 64 + b"\nother", b"0" * 80])
def test_damaged_bytes_are_computed_again(tmp_path, damage):
    steps = Checkpoints(tmp_path)
    steps("fit", lambda: b"right")
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    again = Checkpoints(tmp_path)
    assert again("fit", lambda: b"right") == b"right"
    assert again.damaged == ["fit"]
    assert Checkpoints(tmp_path)("fit", never) == b"right"


def test_a_step_that_fails_stores_nothing(tmp_path):
    steps = Checkpoints(tmp_path / "steps")
    with pytest.raises(ZeroDivisionError):
        steps("fit", lambda: bytes(1 // 0))
    assert not (tmp_path / "steps").exists()
    with pytest.raises(UsageError, match="bytes"):
        steps("fit", lambda: "text")


@pytest.mark.parametrize("name", ["", "x" * 121])
def test_bad_names_are_refused(tmp_path, name):
    with pytest.raises(UsageError):
        Checkpoints(tmp_path)(name, bytes)


def test_threads_may_store_at_once(tmp_path):
    steps = Checkpoints(tmp_path)
    threads = [
        threading.Thread(target=steps, args=(f"s{i % 4}", lambda: b"x" * 10_000)) for i in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(steps.steps) == ["s0", "s1", "s2", "s3"]
    assert not steps.damaged
    steps.clear()
    assert not tmp_path.exists()
    steps.clear()
