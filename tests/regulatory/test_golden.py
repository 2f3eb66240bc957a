"""One report, held as a whole: what it says of a made-up act, to the last offset."""

import importlib.util
import json
from pathlib import Path

SPEC = importlib.util.spec_from_file_location("golden", Path(__file__).parent / "golden.py")
golden = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(golden)


def test_the_report_is_the_golden_one():
    wanted = json.loads(golden.FILE.read_text(encoding="utf-8"))
    found = golden.report()
    for key in wanted:
        assert found[key] == wanted[key], key
    assert set(found) == set(wanted)
