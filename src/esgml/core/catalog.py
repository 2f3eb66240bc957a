"""Finding models by their file names, without importing them.

A new model is one file under ``<capability>/models/``; its name is the file's name. The
catalog lists files, and imports one only when it is asked for by name, so that listing
needs neither torch nor LightGBM.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from esgml.core.errors import MissingExtraError, NotFoundError

if TYPE_CHECKING:
    from esgml.core.interfaces import BaseModel

#: Packages whose files are models, by the capability that owns them.
PACKAGES = {
    "forecast": "esgml.forecast.models",
    "anomaly": "esgml.anomaly.models",
    "regulatory": "esgml.regulatory.models",
    "optimization": "esgml.optimization.solvers",
}
#: Which extra brings a library that models import.
EXTRAS = {"torch": "train", "lightgbm": "train", "statsforecast": "train", "sklearn": "train"}


@functools.cache
def _folder(capability: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(PACKAGES[capability])
    except ModuleNotFoundError:
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def names(capability: str) -> tuple[str, ...]:
    """Return the names of all models of a capability, sorted; imports none of them."""
    if capability not in PACKAGES:
        raise NotFoundError(
            f"no capability {capability!r}.", remedy=f"Known: {', '.join(PACKAGES)}."
        )
    folder = _folder(capability)
    if folder is None:
        return ()
    found = (m.name for m in pkgutil.iter_modules([str(folder)]))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def describe(capability: str, name: str) -> str:
    """Return the first line of a model file's docstring, read without importing it."""
    folder = _folder(capability)
    if folder is None or name not in names(capability):
        raise _unknown(capability, name)
    path = folder / f"{name}.py"
    source = path if path.exists() else folder / name / "__init__.py"
    doc = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return doc.splitlines()[0] if doc else ""


def _unknown(capability: str, name: str) -> NotFoundError:
    return NotFoundError(
        f"no {capability} model {name!r}.",
        code="model_unknown",
        remedy=f"Known: {', '.join(names(capability)) or 'none'}.",
    )


def load(capability: str, name: str) -> type[BaseModel]:
    """Import the model file `name` and return the one public model class it defines.

    Raises
    ------
    NotFoundError
        If there is no such model.
    MissingExtraError
        If the model needs a library that is not installed.
    """
    from esgml.core.interfaces import BaseModel

    if name not in names(capability):
        raise _unknown(capability, name)
    try:
        module = importlib.import_module(f"{PACKAGES[capability]}.{name}")
    except ModuleNotFoundError as error:
        library = (error.name or "").split(".")[0]
        if library in EXTRAS:
            raise MissingExtraError.of(library, EXTRAS[library]) from error
        raise
    classes = [
        item
        for item in vars(module).values()
        if inspect.isclass(item)
        and issubclass(item, BaseModel)
        and item.__module__ == module.__name__
        and not item.__name__.startswith("_")
        and not inspect.isabstract(item)
    ]
    if len(classes) != 1:
        raise NotFoundError(
            f"{module.__name__} must define exactly one public model class,"
            f" found {[c.__name__ for c in classes]}."
        )
    return classes[0]
