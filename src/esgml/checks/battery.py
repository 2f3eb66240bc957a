"""How a battery of checks is run: every failure is reported, and an excuse must hold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

from esgml.core.errors import EsgmlError, GateError, IntegrityError, UsageError
from esgml.core.interfaces import MANIFEST, BaseModel

#: Endings of formats that carry no code.
SAFE = (".json", ".safetensors", ".onnx", ".txt")

Model = TypeVar("Model", bound=BaseModel)


class BrokenError(Exception):
    """A check did not hold."""


def require(condition: bool, message: str) -> None:
    """Fail the check with `message` unless the condition holds."""
    if not condition:
        raise BrokenError(message)


def raises(kinds: type[EsgmlError], call: Callable[[], object], what: str) -> None:
    """Fail the check unless the call raises an error of that kind."""
    try:
        call()
    except kinds:
        return
    except Exception as error:
        raise BrokenError(
            f"{what}: expected {kinds.__name__}, got {type(error).__name__}: {error}"
        ) from error
    raise BrokenError(f"{what}: expected {kinds.__name__}, nothing was raised")


class Checks:
    """Base of all batteries: every method ``check_*`` is a check, those of a base first."""

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of all checks, in the order they are run."""
        found = dict.fromkeys(name for kind in reversed(cls.__mro__) for name in vars(kind))
        return [name.removeprefix("check_") for name in found if name.startswith("check_")]


class Battery(Checks, Generic[Model]):
    """Base of the batteries over a model class, with the checks that every model keeps.

    Parameters
    ----------
    model_class : type
    params : mapping, optional
        Hyperparameters to build it with, such as fewer epochs.
    """

    def __init__(self, model_class: type[Any], params: Mapping[str, Any] | None = None) -> None:
        self.model_class = model_class
        self.params = dict(params or {})

    def build(self) -> Any:
        """Return an untrained model."""
        return self.model_class(**self.params)

    @abstractmethod
    def learn(self) -> Model:
        """Return a model newly trained on the sample data."""

    @cached_property
    def trained(self) -> Model:
        """The model trained on the sample data, once for all checks."""
        return self.learn()

    def check_safe_formats(self) -> None:
        """Save in formats that carry no code, and refuse changed bytes."""
        files = self.trained.to_files()
        bad = [name for name in files if not name.endswith(SAFE)]
        require(not bad, f"files of other formats: {bad}")
        for name in files:
            changed = {**files, name: files[name] + b" "}
            if name != MANIFEST:
                raises(
                    IntegrityError,
                    lambda changed=changed: self.model_class.from_files(changed),  # type: ignore[misc]
                    f"changed {name}",
                )

    def check_same_seed_same_bytes(self) -> None:
        """Save the same bytes when trained again on the same data with the same seed."""
        first, second = self.trained.to_files(), self.learn().to_files()
        differing = [name for name in first if first[name] != second.get(name)]
        require(not differing and len(first) == len(second), f"files differ: {differing}")

    def check_parameters(self) -> None:
        """Refuse unknown parameters, and describe the model."""
        raises(UsageError, lambda: self.model_class(no_such_parameter=1), "unknown parameter")
        model = self.trained
        about = model.metadata()
        require(bool(about.description), "the class has no docstring")
        require(about.trained, "metadata does not know that it is trained")
        require(type(model).__name__ in model.summary(), "the summary does not name the class")
        require(set(about.params) == set(model.params.model_dump()), "parameters are missing")


def run(battery: Checks, tested: type[Any]) -> list[str]:
    """Run the checks of a battery over a class and return their names.

    Parameters
    ----------
    battery : Checks
    tested : type
        Its attribute ``expected_failures``, a mapping of check name to reason, names the checks
        it does not keep.

    Raises
    ------
    GateError
        Naming every check that failed, every expected failure that passed, and every expected
        failure that is no check.
    """
    names = battery.names()
    excused: Mapping[str, str] = getattr(tested, "expected_failures", {})
    found = [f"{name}: expected to fail, but is no check" for name in excused if name not in names]
    for name in names:
        try:
            getattr(battery, f"check_{name}")()
        except Exception as error:  # a model may fail in any way; all failures are reported
            if name not in excused:
                kind = "" if isinstance(error, BrokenError) else f"{type(error).__name__}: "
                found.append(f"{name}: {kind}{error}")
        else:
            if name in excused:
                found.append(f"{name}: expected to fail ({excused[name]}), but passed")
    if found:
        raise GateError(
            f"{tested.__name__} breaks its contract: " + "; ".join(found),
            code="contract",
            remedy="Mend the model, or name the check and the reason in expected_failures.",
        )
    return names
