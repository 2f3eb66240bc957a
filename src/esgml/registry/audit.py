"""The audit of a registry: do the bytes, the tables and the ledger still tell one story."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from esgml.core.errors import EsgmlError
from esgml.registry import ledger
from esgml.registry.versions import VersionInfo


@dataclass(frozen=True)
class Verification:
    """What checking a registry found.

    Attributes
    ----------
    ok : bool
    versions, entries : int
        How many bundles and ledger entries were checked.
    head : str
        Hash of the last ledger entry; note it elsewhere to be able to show later that
        nothing was cut off.
    faults : tuple of str
    """

    ok: bool
    versions: int
    entries: int
    head: str
    faults: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, for JSON."""
        return asdict(self)


def audit(
    versions: Sequence[VersionInfo],
    chain: Sequence[ledger.Entry],
    read: Callable[[VersionInfo], object],
    head: str = "",
    whole: Callable[[str], bool] = lambda model: True,
) -> Verification:
    """Check versions against the whole ledger, and each bundle against its hashes.

    Parameters
    ----------
    versions : sequence of VersionInfo
        Those to check.
    chain : sequence of Entry
        The whole ledger.
    read : callable
        Reads the bundle of a version; raises where a byte differs.
    head : str, optional
        Ledger hash noted earlier.
    whole : callable
        Says of a model whether `versions` holds all of its versions; of those the ledger
        must not know more than there are.
    """
    faults = ledger.check(chain)
    if head and head != ledger.GENESIS and all(head != entry.hash for entry in chain):
        faults.append(f"the ledger no longer holds the entry {head}: it was cut or rewritten.")
    told = {(e.model, e.version): e.detail.get("digest") for e in chain if e.act == "register"}
    for item in versions:
        label = f"{item.name} {item.version}"
        if (item.name, item.version) not in told:
            faults.append(f"{label}: the ledger does not know it.")
        elif told[item.name, item.version] != item.digest:
            faults.append(f"{label}: its digest is not the one in the ledger.")
        try:
            read(item)
        except EsgmlError as error:
            faults.append(f"{label}: {error}")
    there = {(item.name, item.version) for item in versions}
    for model, version in sorted(told):
        if whole(model) and (model, version) not in there:
            faults.append(f"{model} {version}: was registered, and is gone.")
    held = {(item.name, alias): item.version for item in versions for alias in item.aliases}
    moved = {(e.model, str(e.detail.get("alias"))) for e in chain if e.act == "promote"}
    for model, alias in sorted(held.keys() | {key for key in moved if whole(key[0])}):
        stack = ledger.aliases(chain, model, alias)
        recorded, actual = stack[-1] if stack else "nothing", held.get((model, alias), "nothing")
        if recorded != actual:
            faults.append(
                f"{model}: {alias} points at {actual} without an entry in the ledger,"
                f" which says {recorded}."
            )
    last = chain[-1].hash if chain else ledger.GENESIS
    return Verification(not faults, len(versions), len(chain), last, tuple(faults))
