import importlib.util
import json
from pathlib import Path

import pytest

MAIN = Path(__file__).parents[2] / "benchmarks" / "__main__.py"


@pytest.fixture(scope="module")
def benchmarks():
    spec = importlib.util.spec_from_file_location("benchmarks_main", MAIN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(folder, **scripts):
    for name, text in scripts.items():
        (folder / f"bench_{name}.py").write_text(text)


def test_one_that_fails_or_hangs_stops_no_other(benchmarks, tmp_path, capsys):
    write(
        tmp_path,
        good="import json\nprint('a line')\nprint(json.dumps({'a': {'b': 1.5}}, indent=1))",
        bad="raise SystemExit('no luck')",
        mute="print('nothing')",
    )
    out = tmp_path / "out"
    code = benchmarks.main(["--folder", str(tmp_path), "--out", str(out)])
    assert code == 1
    report = json.loads((out / "results.json").read_text())
    found = report["benchmarks"]
    assert found["good"]["results"] == {"a": {"b": 1.5}} and found["good"]["status"] == "ok"
    assert found["bad"]["status"] == "exit 1" and "no luck" in found["bad"]["said"]
    assert found["mute"]["status"] == "printed no JSON"
    assert report["machine"]["cores"] >= 1 and report["machine"]["libraries"]["numpy"]
    table = capsys.readouterr().out
    assert "a.b" in table and "1.5" in table and "no luck" in table


def test_each_is_bounded_in_time(benchmarks, tmp_path):
    write(tmp_path, slow="import time\ntime.sleep(60)")
    out = tmp_path / "out"
    arguments = ["--folder", str(tmp_path), "--out", str(out), "--timeout", "0.5"]
    assert benchmarks.main(arguments) == 1
    report = json.loads((out / "results.json").read_text())
    assert report["benchmarks"]["slow"]["status"] == "over 0.5 s"


def test_by_name(benchmarks, tmp_path):
    write(tmp_path, one="print('{}')", two="print('{}')")
    assert [p.name for p in benchmarks.find(tmp_path, ["two"])] == ["bench_two.py"]
    with pytest.raises(SystemExit, match="no benchmark three"):
        benchmarks.find(tmp_path, ["three"])
    assert len(benchmarks.find(MAIN.parent)) >= 1


def test_numbers_are_shown_with_their_path(benchmarks):
    value = {"a": [{"x": 1}, {"x": float("inf")}], "b": [1, 2], "c": 123456.7, "d": True}
    assert dict(benchmarks.flat(value)) == {
        "a[0].x": "1",
        "a[1].x": "inf",
        "b": "[1, 2]",
        "c": "123,457",
        "d": "True",
    }
