"""Forest, neighbours, principal axes and histograms together: each sees what others miss."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pydantic

from esgml.anomaly.base import AnomalyModel
from esgml.core import catalog
from esgml.core.errors import IntegrityError
from esgml.core.interfaces import Files, Hyperparameters
from esgml.core.random import derive_seed, generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STATE = "ensemble.json"
_LEVEL_ROWS = 20_000  # enough to know a median and quartiles by
MEMBERS = ("isolation_forest", "sampled_neighbours", "pca", "histogram")


class EnsembleParams(Hyperparameters):
    """Hyperparameters of the ensemble."""

    members: tuple[str, ...] = pydantic.Field(
        MEMBERS, min_length=1, max_length=16, description="models of the catalog, by name"
    )
    settings: dict[str, dict[str, Any]] = pydantic.Field(
        {}, description="hyperparameters of members, by name"
    )

    @pydantic.field_validator("members")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = [name for name in catalog.names("anomaly") if name != "ensemble"]
        unknown = [name for name in value if name not in known]
        if unknown:
            raise ValueError(f"no model {', '.join(unknown)}; known: {', '.join(known)}")
        if len(set(value)) != len(value):
            raise ValueError("a member is named twice")
        return value

    @pydantic.model_validator(mode="after")
    def _of_members(self) -> EnsembleParams:
        if stray := set(self.settings) - set(self.members):
            raise ValueError(f"settings for {', '.join(sorted(stray))}, which is no member")
        return self


class Ensemble(AnomalyModel):
    """Mean of what several models say, each measured against its own ordinary scores.

    When to use it: by default, for rows of numbers of which little is known. The forest is good
    with many kinds of columns, sampled neighbours with groups of strange rows, the principal
    axes with combinations, histograms with codes and gaps; none has to be chosen, which without
    labels cannot be done well.
    Weakness: where one member is blind, its ordinary score still counts as much as the others';
    rows strange only inside a dense neighbourhood are found late.

    A member's score counts by how far it lies above the median score of the training rows, in
    interquartile ranges, on a logarithmic scale: ``log(1 + excess)``, 0 below the median. So no
    member drowns the others, whatever the scale and the tail of its scores.

    Parameters
    ----------
    **params
        See `EnsembleParams`.

    Attributes
    ----------
    members_ : dict of name to AnomalyModel
    middle_, width_ : dict of name to float
        Median and interquartile range of each member's scores on the training rows.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(500, 2))
    >>> model = Ensemble(members=("sampled_neighbours", "pca")).train(rows, seed=1)
    >>> bool(model.score([[4.0, -4.0]])[0] > model.score(rows).max())
    True
    """

    Params: ClassVar[type[Hyperparameters]] = EnsembleParams
    fewest_rows: ClassVar[int] = 1

    members_: dict[str, AnomalyModel]
    middle_: dict[str, float]
    width_: dict[str, float]

    def _train(self, X: Floats, seed: int) -> None:
        self.members_, self.middle_, self.width_ = {}, {}, {}
        some = X
        if len(X) > _LEVEL_ROWS:
            some = X[generator(seed, "levels").choice(len(X), _LEVEL_ROWS, replace=False)]
        for name in self.params.members:
            member = _class(name)(**self.params.settings.get(name, {})).train(
                X, seed=derive_seed(seed, "member", name)
            )
            low, middle, high = np.percentile(member.score(some), (25, 50, 75))
            self.members_[name] = member
            self.middle_[name] = float(middle)
            # where most rows are equal their scores are: then count in shares of the score
            self.width_[name] = float(high - low) or abs(float(middle)) or 1.0

    def _score(self, X: Floats) -> Floats:
        return np.asarray(np.mean([*self.member_scores(X).values()], axis=0))

    def member_scores(self, X: Floats) -> dict[str, Floats]:
        """Return what each member adds to the score, by name, each of shape (n,)."""
        return {name: self._level(name, member.score(X)) for name, member in self.members_.items()}

    def _level(self, name: str, score: Floats) -> Floats:
        excess = np.maximum(score - self.middle_[name], 0.0) / self.width_[name]
        return np.asarray(np.log1p(excess))

    def _contributions(self, X: Floats) -> Floats:
        """Share each member's part of the score out as the member does; they add up to it."""
        out = np.zeros(X.shape)
        for name, member in self.members_.items():
            part = member.feature_contributions(X)
            total = part.sum(axis=1, keepdims=True)
            share = np.divide(part, total, out=np.zeros_like(part), where=total > 0)
            out += share * self._level(name, member.score(X))[:, None]
        return out / len(self.members_)

    def _dump(self) -> Files:
        files: Files = {
            _STATE: json.dumps(
                {"columns": self.columns_, "middle": self.middle_, "width": self.width_},
                sort_keys=True,
            ).encode()
        }
        for name, member in self.members_.items():
            files |= {f"{name}/{file}": data for file, data in member.to_files().items()}
        return files

    def _restore(self, files: Mapping[str, bytes]) -> None:
        try:
            state = json.loads(files[_STATE])
            self.columns_ = int(state["columns"])
            self.middle_ = {name: float(state["middle"][name]) for name in self.params.members}
            self.width_ = {name: float(state["width"][name]) for name in self.params.members}
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("the saved ensemble is incomplete.") from error
        if not all(np.isfinite(v) and v > 0 for v in self.width_.values()) or not all(
            np.isfinite(v) for v in self.middle_.values()
        ):
            raise IntegrityError("a saved level of the ensemble is unusable.")
        self.members_ = {}
        for name in self.params.members:
            own = {
                file.removeprefix(f"{name}/"): data
                for file, data in files.items()
                if file.startswith(f"{name}/")
            }
            member = _class(name).from_files(own)
            if member.columns_ != self.columns_:
                raise IntegrityError(f"member {name} learned from other columns.")
            self.members_[name] = member

    def _details(self) -> dict[str, Any]:
        if not self.trained_:
            return {}
        return {name: member.metadata().params for name, member in self.members_.items()}


def _class(name: str) -> type[AnomalyModel]:
    found = catalog.load("anomaly", name)
    assert issubclass(found, AnomalyModel)
    return found
