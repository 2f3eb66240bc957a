"""The isolation forest beside scikit-learn's, on the same trees, in the same run.

Both have 100 trees of 256 samples over 10 columns; the trees are scikit-learn's, so scores and
labels must be equal, which is checked before times are reported. Batches are the best of several
rounds; single readings are medians, and their ratio is that of processor time, which other work
on the machine distorts less. One thread.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
import sys
import time
from collections.abc import Callable

import numpy as np

ROWS, COLUMNS, SINGLES, ROUNDS = 100_000, 10, 2000, 5


def best(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the shortest time of several calls, in seconds."""
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def each(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """Return the median time and the mean processor time of single calls, in seconds."""
    seconds = []
    busy = time.process_time()
    for _ in range(calls):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds)), (time.process_time() - busy) / calls


def main() -> None:
    from sklearn.ensemble import IsolationForest as Theirs

    from esgml.anomaly.flat_forest import has_numba
    from esgml.anomaly.models.isolation_forest import IsolationForest
    from esgml.core.random import derive_seed

    rng = np.random.default_rng(0)
    train, rows = rng.normal(size=(20_000, COLUMNS)), 1.5 * rng.normal(size=(ROWS, COLUMNS))
    ours = IsolationForest().train(train, seed=0)
    theirs = Theirs(
        n_estimators=100,
        max_samples=256,
        contamination=0.1,
        random_state=derive_seed(0, "isolation forest") % 2**32,
    ).fit(train.astype(np.float32))
    rows = rows.astype(np.float32).astype(np.float64)
    one = rows[:1]
    single = rows.astype(np.float32)

    gap = float(np.abs(ours.score(rows) + theirs.score_samples(single)).max())
    equal = bool(np.array_equal(ours.is_anomaly(rows), theirs.predict(single) == -1))
    plain = ours.forest_.depths(rows[:2000], compiled=False)
    walks = bool(np.array_equal(ours.forest_.depths(rows[:2000]), plain))

    batch = best(lambda: ours.score(rows))
    batch_theirs = best(lambda: theirs.score_samples(single), 3)
    alone, busy = each(lambda: ours.score(one), SINGLES)
    alone_theirs, busy_theirs = each(lambda: theirs.score_samples(single[:1]), 60)
    alone_plain, _ = each(lambda: ours.forest_.depths(one, compiled=False), SINGLES)
    result = {
        "rows": ROWS,
        "compiled": has_numba(),
        "largest_score_difference": gap,
        "labels_identical": equal,
        "numpy_path_identical": walks,
        "batch_rows_per_s": {"esgml": ROWS / batch, "sklearn": ROWS / batch_theirs},
        "batch_times_faster": batch_theirs / batch,
        "one_reading_us": {
            "esgml": alone * 1e6,
            "esgml without numba": alone_plain * 1e6,
            "sklearn": alone_theirs * 1e6,
        },
        "one_reading_times_faster": busy_theirs / busy,
    }
    sys.stderr.write(
        f"one reading   {alone * 1e6:10.1f} us   scikit-learn {alone_theirs * 1e6:10.1f} us"
        f"   {busy_theirs / busy:6.1f} x\n"
        f"batch         {ROWS / batch:10,.0f} /s   scikit-learn {ROWS / batch_theirs:10,.0f} /s"
        f"   {batch_theirs / batch:6.1f} x\n"
        f"scores differ by at most {gap:.1e}, labels identical: {equal}\n"
    )
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
