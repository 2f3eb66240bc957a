"""How a battery of checks is run: every failure is reported, and an excuse must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from esgml.core.errors import EsgmlError, GateError

#: Endings of formats that carry no code.
SAFE = (".json", ".safetensors", ".onnx", ".txt")


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


def run(battery: Any, names: list[str], tested: type[Any]) -> list[str]:
    """Run the checks ``check_*`` of a battery over a class and return their names.

    Parameters
    ----------
    battery : object
    names : list of str
    tested : type
        Its attribute ``expected_failures``, a mapping of check name to reason, names the checks
        it does not keep.

    Raises
    ------
    GateError
        Naming every check that failed, every expected failure that passed, and every expected
        failure that is no check.
    """
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
