"""Ten million rows are checked in memory of a few times their size."""

import resource
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

ROWS, SITES = 10_000_000, 285
_RUN = "from esgml.cli.app import main; main()"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_check(tmp_path, ending):
    random = np.random.default_rng(0)
    per = ROWS // SITES + 1
    index = np.arange(ROWS)
    frame = pl.DataFrame(
        {
            "entity": (pl.Series(index // per).cast(pl.String) + "-site"),
            "timestamp": np.datetime64("2020-01-01", "us") + (index % per) * np.timedelta64(1, "h"),
            "energy_kwh": np.round(random.gamma(9, 10, ROWS), 3),
            "scope2_kg": np.round(random.gamma(9, 4, ROWS), 3),
        }
    )
    path = tmp_path / f"big.{ending}"
    if ending == "csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    del frame
    done = subprocess.run(
        [sys.executable, "-c", _RUN, "check", str(path), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"rows": 10000000' in done.stdout
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert peak < 6 * 1024**2  # KiB: 6 GiB
