"""Loops that numba compiles: kept on disk where there is a place for them.

numba keeps machine code in ``NUMBA_CACHE_DIR``, beside the source, or in the user's cache. An
installation that may write none of these compiles in every process, and works all the same.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from esgml.core.errors import MissingExtraError

try:
    import numba
    from numba.core import event
except ModuleNotFoundError as error:
    raise MissingExtraError.of("numba", "serve") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Return the compiled loop; `options` are those of ``numba.njit``."""
    try:
        loop: Callable[..., Any] = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep the machine code
        loop = numba.njit(**options)(function)
    return loop


@contextlib.contextmanager
def told_when_compiling(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` once, before the first loop that has to be compiled; never for kept ones."""

    class Once(event.Listener):  # type: ignore[misc, unused-ignore]
        told = False

        def on_start(self, _: Any) -> None:
            if not self.told:
                self.told = True
                tell()

        def on_end(self, _: Any) -> None:
            """Wait for nothing: the work goes on."""

    with event.install_listener("numba:compile", Once()):
        yield
