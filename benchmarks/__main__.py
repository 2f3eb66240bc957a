"""Run every ``bench_*.py`` of this folder, each in a process of its own and bounded in time.

``python -m benchmarks [NAME ...] [--timeout S] [--out FOLDER]`` prints one table and writes
``results.json`` with all numbers, the machine and the versions they were measured with. One
that fails or takes too long is reported and stops no other; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCHEMA = "esgml.bench/1"


def find(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Return the benchmarks of a folder, only those named where any are."""
    found = {path.stem.removeprefix("bench_"): path for path in sorted(folder.glob("bench_*.py"))}
    unknown = [name for name in names if name not in found]
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}; there are {', '.join(found)}.")
    return [path for name, path in found.items() if not names or name in names]


def run(path: Path, timeout: float) -> dict[str, Any]:
    """Run one benchmark and return its numbers, or why there are none."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=HERE.parent,
        start_new_session=True,  # so that its own processes end with it
    )
    try:
        out, err = process.communicate(timeout=timeout)
        status = "ok" if process.returncode == 0 else f"exit {process.returncode}"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        status = f"over {timeout:g} s"
    result: dict[str, Any] = {"status": status, "seconds": time.perf_counter() - started}
    if status == "ok":
        try:
            result["results"] = document(out.decode())
        except ValueError:
            result["status"] = "printed no JSON"
    if result["status"] != "ok":
        result["said"] = err.decode("utf-8", "replace")[-2000:]
    return result


def document(text: str) -> Any:
    """Return the JSON value that a text ends with; a benchmark may print lines before it."""
    lines = text.strip().splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith(("{", "["))]
    for start in starts:
        try:
            return json.loads("\n".join(lines[start:]))
        except ValueError:
            continue
    raise ValueError("no JSON at the end of the output")


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield every number and word inside a result with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for i, item in enumerate(value):
            yield from flat(item, f"{name}[{i}]")
    elif isinstance(value, float):
        yield (
            name,
            f"{value:,.4g}" if math.isfinite(value) and abs(value) < 1e4 else f"{value:,.0f}",
        )
    else:
        yield name, f"{value:,}" if type(value) is int else str(value)


def machine() -> dict[str, Any]:
    """Return what the numbers depend on besides the code."""
    from esgml.registry.fingerprint import code_version
    from esgml.training.runs import library_versions

    return {
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "system": platform.platform(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else [],
        "code": code_version(),
        "libraries": library_versions(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit code."""
    from esgml.core.storage import write_atomic

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="benchmarks to run, without bench_; default all")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for each")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="folder to write")
    parser.add_argument("--folder", type=Path, default=HERE, help="where the benchmarks are")
    chosen = parser.parse_args(arguments)
    paths = find(chosen.folder, chosen.names)
    done: dict[str, Any] = {}
    report = {
        "schema": SCHEMA,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "benchmarks": done,
    }
    target = chosen.out / "results.json"
    for path in paths:
        name = path.stem.removeprefix("bench_")
        sys.stderr.write(f"{name} ...\n")
        done[name] = run(path, chosen.timeout)
        # after each, so that what was measured survives an interruption
        write_atomic(target, (json.dumps(report, indent=1) + "\n").encode())
    show(done)
    print(f"written to {target}")
    return 0 if all(one["status"] == "ok" for one in done.values()) else 1


def show(done: dict[str, Any]) -> None:
    """Print one table of all numbers."""
    rows: list[tuple[str, str, str]] = []
    for name, one in done.items():
        rows.append((name, one["status"], f"{one['seconds']:.1f} s"))
        rows += [("", key, value) for key, value in flat(one.get("results", {}))]
        if "said" in one:
            rows += [("", "", line) for line in one["said"].strip().splitlines()[-3:]]
    first = max([len(r[0]) for r in rows], default=0)
    second = max([len(r[1]) for r in rows], default=0)
    for name, key, value in rows:
        print(f"{name:<{first}}  {key:<{second}}  {value}".rstrip())


if __name__ == "__main__":
    raise SystemExit(main())
