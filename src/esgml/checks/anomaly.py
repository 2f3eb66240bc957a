"""The contract every anomaly model keeps, as checks that anyone can run over a model class.

::

    from esgml.checks.anomaly import anomaly_checks
    anomaly_checks(MyModel)

A check that a model cannot pass for a good reason is named, with the reason, in the model's
class attribute ``expected_failures``; a reason that no longer holds is an error too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.checks.battery import Battery, raises, require, run
from esgml.core.errors import (
    ColumnError,
    DataError,
    EsgmlError,
    NotTrainedError,
    UsageError,
)
from esgml.core.interfaces import MANIFEST
from esgml.core.random import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.anomaly.base import AnomalyModel

    Floats = NDArray[np.float64]

#: Columns of the sample rows.
COLUMNS = 4


def sample_rows(rows: int = 240, seed: int = 0) -> Floats:
    """Return ordinary rows: two columns that go together, one skewed, one in small units."""
    draw = generator(seed, "sample rows")
    table = draw.normal(size=(rows, COLUMNS))
    table[:, 1] += 2 * table[:, 0]
    table[:, 2] = np.exp(table[:, 2])
    table[:, 3] = 1e-4 * table[:, 3] + 5e-3
    return table


def strange_rows() -> Floats:
    """Return rows far outside of `sample_rows`, one for each column, and one for all."""
    far = np.array([12.0, 30.0, 60.0, 7e-3])
    usual = np.array([0.0, 0.0, 1.0, 5e-3])
    return np.vstack([np.where(np.eye(COLUMNS, dtype=bool), far, usual), far])


class AnomalyBattery(Battery["AnomalyModel"]):
    """The checks on one anomaly model class; every method ``check_*`` is one.

    Parameters
    ----------
    model_class : type
        A subclass of `AnomalyModel`.
    params : mapping, optional
        Hyperparameters to build it with, such as fewer epochs.
    """

    def __init__(
        self, model_class: type[AnomalyModel], params: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(model_class, params)
        self.rows = sample_rows()

    def learn(self) -> AnomalyModel:
        """Return the model newly trained on the sample rows."""
        model: AnomalyModel = self.build().train(self.rows, seed=1)
        return model

    def _finite(self, model: AnomalyModel, rows: Floats, what: str) -> Floats:
        score = model.score(rows)
        require(score.shape == (len(rows),), f"{what}: scores have shape {score.shape}")
        require(bool(np.isfinite(score).all()), f"{what}: a score is not finite")
        return score

    def check_score_before_train(self) -> None:
        """Refuse to score, explain or save before training."""
        model = self.build()
        raises(NotTrainedError, lambda: model.score(self.rows), "score")
        raises(NotTrainedError, lambda: model.feature_contributions(self.rows), "contributions")
        raises(NotTrainedError, model.to_files, "to_files")

    def check_shapes(self) -> None:
        """Have one score a row, also for one row and for none."""
        for n in (len(self.rows), 1, 0):
            self._finite(self.trained, self.rows[:n], f"{n} rows")

    def check_strange_rows(self) -> None:
        """Hold rows far outside stranger than nearly all ordinary ones; in one column, half."""
        ordinary = self._finite(self.trained, self.rows, "ordinary rows")
        score = self._finite(self.trained, strange_rows(), "strange rows")
        half, nearly_all = np.quantile(ordinary, (0.5, 0.95))
        require(
            bool(score[-1] > nearly_all),
            f"far in all columns: {score[-1]:.3g}, ordinary rows up to {nearly_all:.3g}",
        )
        require(
            int((score[:-1] > half).sum()) >= COLUMNS - 1,
            f"far in one column: {score[:-1]}, half of the ordinary rows up to {half:.3g}",
        )

    def check_missing_values(self) -> None:
        """Bear missing values anywhere, in training and in scoring, or refuse them by name."""
        holed = np.where(generator(0, "holes").random(self.rows.shape) < 0.2, np.nan, self.rows)
        blank = np.full((2, COLUMNS), np.nan)
        if not self.model_class.takes_missing:
            raises(DataError, lambda: self.build().train(holed), "missing values in training")
            raises(DataError, lambda: self.trained.score(holed), "missing values in scoring")
            return
        self._finite(self.trained, holed, "holes in scoring")
        self._finite(self.trained, blank, "nothing but missing values")
        model = self.build().train(holed, seed=1)
        self._finite(model, holed, "holes in training")
        empty = self.rows.copy()
        empty[:, 1] = np.nan
        self._finite(self.build().train(empty, seed=1), self.rows, "a column without values")

    def check_a_missing_value_is_not_strange(self) -> None:
        """Hold an ordinary row with a gap less strange than a row far outside."""
        if not self.model_class.takes_missing:
            return
        usual = np.median(self.rows, axis=0)
        gaps = np.where(np.eye(COLUMNS, dtype=bool), np.nan, usual)
        gap = self._finite(self.trained, gaps, "rows with a gap")
        far = self._finite(self.trained, strange_rows()[-1:], "a row far outside")
        require(bool((gap < far).all()), "a gap is held stranger than a row far outside")

    def check_constant_columns(self) -> None:
        """Bear columns that never vary, and rows that are all equal."""
        flat = self.rows.copy()
        flat[:, 1] = 7.0
        self._finite(self.build().train(flat, seed=1), self.rows, "a constant column")
        same = np.repeat(self.rows[:1], 60, axis=0)
        self._finite(self.build().train(same, seed=1), same, "equal rows")

    def check_duplicates(self) -> None:
        """Bear rows most of which are repeated."""
        repeated = np.repeat(self.rows[:30], 8, axis=0)
        self._finite(self.build().train(repeated, seed=1), repeated, "repeated rows")

    def check_one_column(self) -> None:
        """Learn from a single column."""
        one = self.rows[:, :1]
        self._finite(self.build().train(one, seed=1), one, "one column")

    def check_few_rows(self) -> None:
        """Learn from the fewest rows it says it needs, and refuse fewer."""
        fewest = self.model_class.fewest_rows
        self._finite(self.build().train(self.rows[:fewest], seed=1), self.rows, "fewest rows")
        raises(DataError, lambda: self.build().train(self.rows[: fewest - 1]), "fewer rows")

    def check_huge_and_tiny_values(self) -> None:
        """Bear values of any finite size, in training and in scoring."""
        for factor in (1e-150, 1e150):
            self._finite(self.trained, self.rows * factor, f"times {factor}")
            model = self.build().train(self.rows * factor, seed=1)
            self._finite(model, self.rows * factor, f"trained times {factor}")

    def check_bad_rows(self) -> None:
        """Refuse infinite values, texts, no columns, and anything that is no table."""
        infinite = self.rows.copy()
        infinite[3, 1] = np.inf
        for what, bad in (
            ("infinite values", infinite),
            ("texts", [["a"] * COLUMNS]),
            ("one dimension", self.rows[0]),
            ("no columns", np.empty((5, 0))),
            ("three dimensions", self.rows[None]),
        ):
            raises(DataError, lambda bad=bad: self.trained.score(bad), f"score of {what}")  # type: ignore[misc]
            raises(DataError, lambda bad=bad: self.build().train(bad), f"training on {what}")  # type: ignore[misc]
        raises(DataError, lambda: self.build().train(self.rows * np.nan), "nothing observed")

    def check_other_columns(self) -> None:
        """Refuse rows of another width than in training."""
        for other in (self.rows[:, :2], np.hstack([self.rows, self.rows])):
            raises(ColumnError, lambda other=other: self.trained.score(other), "other columns")  # type: ignore[misc]

    def check_batch_equals_single(self) -> None:
        """Score a row alone as among others (1e-9 relative)."""
        rows = np.vstack([self.rows[:20], strange_rows()])
        together = self.trained.score(rows)
        alone = np.array([self.trained.score(row[None])[0] for row in rows])
        gap = float((np.abs(alone - together) / (1 + np.abs(together))).max())
        require(gap <= 1e-9, f"differs by {gap:.1e}")

    def check_order_of_rows(self) -> None:
        """Score rows in another order the same, in that order."""
        turned = self.trained.score(self.rows[::-1])
        expected = self.trained.score(self.rows)[::-1]
        require(bool(np.allclose(turned, expected, rtol=1e-9)), "the scores depend on the order")

    def check_contributions(self) -> None:
        """Name the column that made a row strange, never with a negative part."""
        if not self.model_class.explains():
            raises(
                UsageError,
                lambda: self.trained.feature_contributions(self.rows),
                "contributions of a model that explains nothing",
            )
            return
        part = self.trained.feature_contributions(np.vstack([strange_rows(), self.rows]))
        require(bool(np.isfinite(part).all()), "a contribution is not finite")
        require(bool((part >= 0).all()), "a contribution is negative")
        named = int((part[:COLUMNS].argmax(axis=1) == np.arange(COLUMNS)).sum())
        require(named >= COLUMNS - 1, f"the column far outside is named in {named} of {COLUMNS}")

    def check_save_and_load(self) -> None:
        """Score the same after saving to files and to a folder."""
        model = self.trained
        expected = model.score(self.rows)
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "model"
            model.save(folder)
            for again in (
                self.model_class.load(folder),
                self.model_class.from_files(model.to_files()),
            ):
                require(
                    bool(np.array_equal(again.score(self.rows), expected)),
                    "the loaded model scores otherwise",
                )
                require(again.params == model.params, "parameters are lost")

    def check_forged_files(self) -> None:
        """Refuse files without meaning, even where their hashes are right."""
        import json

        from esgml.core.storage import sha256

        files = self.trained.to_files()
        for name in files:
            for content in (b"", b"{}", b"[]", b"\x00" * 64):
                manifest = json.loads(files[MANIFEST])
                if name == MANIFEST:
                    forged = {**files, name: content}
                else:
                    manifest["files"][name] = sha256(content)
                    forged = {**files, name: content, MANIFEST: json.dumps(manifest).encode()}
                raises(
                    EsgmlError,
                    lambda forged=forged: self.model_class.from_files(forged),  # type: ignore[misc]
                    f"{name} replaced by {content[:4]!r}",
                )

    def check_trained_again(self) -> None:
        """Forget what was learned before when trained again, also on other columns."""
        model = self.build().train(sample_rows(90, seed=5)[:, :2], seed=3)
        model.train(self.rows, seed=1)
        require(
            bool(np.array_equal(model.score(self.rows), self.trained.score(self.rows))),
            "earlier training shows",
        )

    def check_input_not_mutated(self) -> None:
        """Leave the rows of training and scoring as they were."""
        rows = self.rows.copy()
        if self.model_class.takes_missing:
            rows[::7, 2] = np.nan
        before = rows.copy()
        rows.flags.writeable = False
        model = self.build().train(rows, seed=1)
        model.score(rows)
        if self.model_class.explains():
            model.feature_contributions(rows)
        require(bool(np.array_equal(rows, before, equal_nan=True)), "the rows were changed")


def anomaly_checks(
    model_class: type[AnomalyModel], params: Mapping[str, Any] | None = None
) -> list[str]:
    """Run every check over an anomaly model class and return the names of those that ran.

    Parameters
    ----------
    model_class : type
        A subclass of `AnomalyModel`; its attribute ``expected_failures``, a mapping of check
        name to reason, names the checks it does not keep.
    params : mapping, optional
        Hyperparameters to build it with, such as fewer epochs.

    Raises
    ------
    GateError
        Naming every check that failed, every expected failure that passed, and every expected
        failure that is no check.
    """
    return run(AnomalyBattery(model_class, params), model_class)
