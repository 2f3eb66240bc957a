"""What learning leaves: a policy that acts in NumPy, is saved without code, and is guarded.

`Policy` is a small network with the ranges it was trained on. `GuardedPolicy` puts a simple rule
beside it: the rule acts where an observation lies outside those ranges, and everywhere if the
policy did not do at least as well as the best rule in a trial.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from esgml.core.errors import DataError, IntegrityError, UsageError
from esgml.core.interfaces import Files
from esgml.core.storage import read_folder, sha256, write_folder_atomic
from esgml.nn.inference import dense
from esgml.nn.weights import pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.environments.side_by_side import Environment

    Array = NDArray[np.float64]
    Actions = NDArray[np.int64]

#: ``rule(observations)``: the actions of a simple rule, (n,), for observations (n, features).
Rule = Callable[["Array"], "Actions"]

WEIGHTS, CARD = "policy.safetensors", "policy.json"
SCHEMA = "esgml.policy/1"
#: How far beyond what was seen is still near enough, as a share of each feature's range.
MARGIN = 0.1


class Policy:
    """Chooses actions from observations; what `DQNAgent.train` returns.

    Acts with NumPy alone. Single observations and batches give the same actions.

    Parameters
    ----------
    arrays : mapping of name to array
        ``hidden.0.weight`` ... ``head.bias`` of the network; ``mean`` and ``deviation`` of the
        features; ``low`` and ``high``, the range of each feature seen in training.
    actions : sequence of str
        What each numbered action does.
    dueling : bool
        Whether the first output is the value of the state.
    details : mapping, optional
        How it was trained, for people.
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        actions: Sequence[str],
        *,
        dueling: bool = False,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.arrays = {name: np.asarray(value) for name, value in arrays.items()}
        self.actions = tuple(actions)
        self.dueling = dueling
        self.details = dict(details or {})
        self._wide = {
            name: value.astype(np.float64)
            for name, value in self.arrays.items()
            if name.startswith(("hidden.", "head."))
        }
        self._layers = sum(name.startswith("hidden.") for name in self._wide) // 2
        outputs = len(self._wide["head.bias"]) - int(dueling)
        if outputs != len(self.actions):
            raise UsageError(f"{outputs} outputs and {len(self.actions)} names of actions.")
        width = self.arrays["high"] - self.arrays["low"]
        self._low = self.arrays["low"] - MARGIN * width
        self._high = self.arrays["high"] + MARGIN * width

    @property
    def features(self) -> int:
        """Length of an observation."""
        return len(self.arrays["mean"])

    def values(self, observation: NDArray[Any]) -> Array:
        """Return the expected discounted return of every action.

        Parameters
        ----------
        observation : array, shape (n, features) or (features,)

        Returns
        -------
        array, shape (n, actions) or (actions,)

        Raises
        ------
        DataError
            If an observation has another length or is not finite.
        """
        single = np.ndim(observation) == 1
        x = np.atleast_2d(np.asarray(observation, dtype=np.float64))
        if x.ndim != 2 or x.shape[1] != self.features or not np.isfinite(x).all():
            raise DataError(
                f"an observation is {self.features} finite numbers, got shape {x.shape}"
                f"{'' if np.isfinite(x).all() else ', not finite'}.",
                code="observation",
                where="observation",
            )
        x = (x - self.arrays["mean"]) / self.arrays["deviation"]
        for layer in range(self._layers):
            x = np.maximum(dense(x, self._wide, f"hidden.{layer}"), 0.0)
        out = dense(x, self._wide, "head")
        if self.dueling:
            added = out[:, 1:]
            out = out[:, :1] + added - added.mean(axis=1, keepdims=True)
        return np.asarray(out[0] if single else out)

    def act(
        self, observation: NDArray[Any], allowed: NDArray[np.bool_] | None = None
    ) -> Actions | int:
        """Return the number of the best action, or of each row's.

        Parameters
        ----------
        observation : array, shape (n, features) or (features,)
        allowed : array of bool, shape (n, actions) or (actions,), optional
            Actions that may be taken; all where omitted.

        Raises
        ------
        DataError
            If an observation has another length or is not finite, or no action is allowed.
        """
        values = self.values(observation)
        if allowed is not None:
            mask = np.broadcast_to(np.asarray(allowed, dtype=bool), values.shape)
            if not mask.any(axis=-1).all():
                raise DataError("no action is allowed here.", code="no_action", where="allowed")
            values = np.where(mask, values, -np.inf)
        best = values.argmax(axis=-1)
        return int(best) if values.ndim == 1 else np.asarray(best)

    def beyond(self, observation: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which features of observations were never like this, shape (n, features).

        Beyond the range seen in training by more than a tenth of its width.
        """
        x = np.atleast_2d(np.asarray(observation, dtype=np.float64))
        return np.asarray((x < self._low) | (x > self._high))

    def outside(self, observation: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which observations lie outside what was seen in training, shape (n,)."""
        return np.asarray(self.beyond(observation).any(axis=1))

    def unfamiliar(self, observation: NDArray[Any]) -> list[int]:
        """Return the numbers of the features of one observation that were never like this."""
        return [int(i) for i in np.flatnonzero(self.beyond(observation)[0])]

    # Saving ---------------------------------------------------------------------------

    def to_files(self) -> Files:
        """Return the policy as named bytes: weights as safetensors, the rest as JSON."""
        weights = pack(self.arrays)
        manifest = {
            "schema": SCHEMA,
            "actions": list(self.actions),
            "dueling": self.dueling,
            "details": self.details,
            "files": {WEIGHTS: sha256(weights)},
        }
        return {
            WEIGHTS: weights,
            CARD: json.dumps(manifest, indent=1, sort_keys=True).encode(),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Build a policy from the named bytes that `to_files` returned.

        Raises
        ------
        IntegrityError
            If a file is missing or changed.
        """
        try:
            manifest = json.loads(files[CARD])
            if manifest["schema"] != SCHEMA or set(files) != {CARD, WEIGHTS}:
                raise IntegrityError("this is no saved policy.")
            if sha256(files[WEIGHTS]) != manifest["files"][WEIGHTS]:
                raise IntegrityError("content does not match its SHA-256.", where=WEIGHTS)
            return cls(
                unpack(files[WEIGHTS]),
                manifest["actions"],
                dueling=bool(manifest["dueling"]),
                details=manifest["details"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("this is no saved policy: its manifest is unreadable.") from error

    def save(self, folder: str | Path) -> None:
        """Write the policy into a new folder, whole or not at all."""
        write_folder_atomic(Path(folder), self.to_files())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a policy back from the folder `save` wrote, verifying its hash."""
        return cls.from_files(read_folder(Path(folder)))

    def to_onnx(self) -> bytes:
        """Return the network as ONNX: ``input`` (batch, features) -> ``output`` (batch, actions).

        Raises
        ------
        MissingExtraError
            If onnx is not installed.
        """
        from esgml.nn.onnx_export import perceptron

        scaling = (self.arrays["mean"], self.arrays["deviation"])
        return perceptron(self.arrays, scaling, dueling=self.dueling)


class GuardedPolicy:
    """A policy with a simple rule beside it, which acts where the policy should not.

    Parameters
    ----------
    policy : Policy
    rule : Rule
    trusted : bool
        Whether the policy acts at all; False = the rule acts always.
    margin : float
        By how much more the policy's action must be worth, by its own estimate and in the unit
        of the rewards, for it to be taken instead of the rule's. What a network holds for a
        small advantage is mostly its error; a margin keeps the large ones.
    trial : mapping, optional
        Returns of both in a trial; see `tried`.

    Attributes
    ----------
    handed_over : int
        How many decisions the rule took because an observation was outside what was seen.
    """

    def __init__(
        self,
        policy: Policy,
        rule: Rule,
        *,
        trusted: bool = True,
        margin: float = 0.0,
        trial: Mapping[str, float] | None = None,
    ) -> None:
        self.policy = policy
        self.rule = rule
        self.trusted = trusted
        self.margin = margin
        self.trial = dict(trial or {})
        self.handed_over = 0

    @classmethod
    def tried(
        cls,
        policy: Policy,
        rules: Mapping[str, Rule],
        weeks: Sequence[Environment],
        margins: Sequence[float] = (0.0,),
    ) -> GuardedPolicy:
        """Try policy and rules on the last weeks; the best rule runs unless the policy beats it.

        Parameters
        ----------
        policy : Policy
        rules : mapping of name to Rule
            At least one.
        weeks : sequence of Environment
            Each is run once, from its reset to its end, by every rule and margin.
        margins : sequence of float
            The one that does best is kept.

        Returns
        -------
        GuardedPolicy
            With the best rule beside the policy; ``trial`` holds the summed returns.

        Raises
        ------
        UsageError
            If there is no rule or no week.
        """
        if not rules or not weeks:
            raise UsageError("a trial needs at least one rule and one week.", code="trial")
        returns = {name: sum(_run(week, rule) for week in weeks) for name, rule in rules.items()}
        best = max(returns, key=lambda name: returns[name])
        tries = {}
        for margin in margins:
            guarded = cls(policy, rules[best], margin=margin)
            tries[margin] = sum(_run(week, guarded.decide) for week in weeks)
        chosen = max(tries, key=lambda margin: tries[margin])
        guarded = cls(policy, rules[best], margin=chosen)
        guarded.trusted = tries[chosen] >= returns[best]
        guarded.trial = {"policy": tries[chosen], **returns}
        return guarded

    def decide(self, observation: NDArray[Any]) -> Actions:
        """Return actions (n,) for observations (n, features)."""
        x = np.atleast_2d(np.asarray(observation, dtype=np.float64))
        if not self.trusted:
            return np.asarray(self.rule(x))
        values = self.policy.values(x)
        chosen = np.asarray(values.argmax(axis=1))
        strange = self.policy.outside(x)
        if self.margin > 0 or strange.any():
            ruled = np.asarray(self.rule(x))
            rows = np.arange(len(x))
            better = values[rows, chosen] - values[rows, ruled] > self.margin
            chosen = np.where(strange | ((self.margin > 0) & ~better), ruled, chosen)
            self.handed_over += int(strange.sum())
        return chosen

    def act(self, observation: NDArray[Any]) -> int:
        """Return the action for one observation of shape (features,)."""
        return int(self.decide(observation)[0])


def _run(week: Environment, rule: Rule) -> float:
    """Return the sum of rewards of one episode."""
    seen, _ = week.reset(seed=0)
    total, over = 0.0, False
    while not over:
        action = int(rule(np.atleast_2d(np.asarray(seen, dtype=np.float64)))[0])
        seen, reward, ended, cut, _ = week.step(action)
        total += float(reward)
        over = bool(ended or cut)
    return total
