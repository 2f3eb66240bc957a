"""Sentence embeddings behind a small interface: texts in, vectors of unit length out.

A text longer than the encoder's window is cut into windows of equal length, each encoded alone
and averaged by its number of tokens, so that the end of a law counts as much as its beginning.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from esgml.core.errors import IntegrityError, MissingExtraError, StorageError, UsageError
from esgml.core.storage import sha256, write_atomic
from esgml.nn.weights import unpack
from esgml.regulatory import encoder_adapter, encoder_graph
from esgml.regulatory.encoder_files import EncoderFiles, read

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Tokens a window holds, the two marks around it included: what the default was trained at.
WINDOW = 128
#: Most windows of one text; a longer text is read at this many evenly spaced places.
MOST_WINDOWS = 64
#: Characters a window is taken to need at most, to bound what is tokenized of a huge text.
_CHARACTERS = 8 * WINDOW


class TextEncoder(Protocol):
    """What turns texts into vectors.

    Attributes
    ----------
    name : str
        Names the encoder and its precision exactly; heads trained on one refuse another.
    dimension : int
    """

    name: str
    dimension: int

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (len(texts), dimension); zeros for a text without words."""
        ...


def cache_folder() -> Path:
    """Return the user's cache folder for converted encoders (``XDG_CACHE_HOME`` is heeded)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "esgml" / "encoders"


class SentenceEncoder:
    """A BERT sentence encoder on onnxruntime, from its published weights.

    When to use it: for search by meaning, and beside word counts in a classifier. Its known
    weakness: English only (the default), and fine distinctions of legal wording that a word
    count sees plainly.

    Parameters
    ----------
    source : path or str, optional
        Folder in the sentence-transformers layout, or an installed package that carries one;
        all-MiniLM-L6-v2 where omitted.
    precision : {"int8", "fp32"}
        int8 is a quarter of the size and faster; cosine to fp32 is .99 or better.
    cache : path, optional
        Where the converted graph is kept; the user's cache folder where omitted.
    threads : int
        Threads of one call.
    adapter : mapping of name to array, optional
        Learned changes to merge into the weights; see `encoder_adapter`.

    Raises
    ------
    MissingExtraError
        If the package or a library is not installed.
    IntegrityError
        If the files are not the pinned ones.

    References
    ----------
    Reimers and Gurevych (2019), Sentence-BERT; Wang et al. (2020), MiniLM. Deviation: windows
    over the whole text in place of truncation.
    """

    def __init__(
        self,
        source: str | Path | None = None,
        *,
        precision: Literal["int8", "fp32"] = "int8",
        cache: Path | None = None,
        threads: int = 1,
        adapter: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        if precision not in ("int8", "fp32"):
            raise UsageError(f"precision must be 'int8' or 'fp32', got {precision!r}.")
        files = read(source)
        self.precision = precision
        self.name = f"{files.name}/{precision}/{files.digest[:16]}"
        self.dimension = int(files.config["hidden_size"])
        self._limit = min(WINDOW, int(files.config["max_position_embeddings"]))
        self._tokenizer = _tokenizer(files)
        if adapter:
            # Not kept on disk: every training would leave an encoder there.
            self.name += f"+{encoder_adapter.digest(adapter)[:16]}"
            graph = _built(encoder_adapter.merged(unpack(files.weights), adapter), files, precision)
        else:
            graph = _graph(files, precision, cache if cache is not None else cache_folder())
        self.bytes_ = len(graph)
        self._session = _session(graph, threads)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text.

        Parameters
        ----------
        texts : sequence of str

        Returns
        -------
        array of float32, shape (len(texts), dimension)
            Zeros for a text without words. The same text gives the same vector whatever
            stands beside it.
        """
        result = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for tokens in self.windows(text):
                (vector,) = self._session.run(None, {"tokens": tokens[None]})
                result[row] += len(tokens) * vector[0]
            length = float(np.linalg.norm(result[row]))
            if length > 0:
                result[row] /= length
        return result

    def windows(self, text: str) -> list[NDArray[np.int64]]:
        """Return the tokens of each window of a text, marks included."""
        ids, room = self._ids(text), self._limit - 2
        if not ids:
            return []
        count = -(-len(ids) // room)
        edges = np.linspace(0, len(ids), count + 1).round().astype(int)
        if count > MOST_WINDOWS:
            chosen = np.linspace(0, count - 1, MOST_WINDOWS).round().astype(int)
        else:
            chosen = np.arange(count)
        first, last = self._marks
        return [
            np.array([first, *ids[edges[w] : edges[w + 1]][:room], last], dtype=np.int64)
            for w in chosen
        ]

    def read_in_part(self, text: str) -> str:
        """Return which part of a long text the vector is of; empty where it is of all."""
        most = MOST_WINDOWS * (self._limit - 2)
        # a token has one character at least, so that most texts need not be cut to be told
        if len(text) <= most or (len(_pieces(text)) == 1 and len(self._ids(text)) <= most):
            return ""
        return (
            f"the text is longer than {MOST_WINDOWS} windows of {self._limit - 2} tokens; as many,"
            " spread evenly over it, were judged by the encoder."
        )

    def _ids(self, text: str) -> list[int]:
        found: list[int] = []
        for piece in _pieces(text):
            found += self._tokenizer.encode(piece, add_special_tokens=False).ids
        return found

    @property
    def _marks(self) -> tuple[int, int]:
        first, last = self._tokenizer.token_to_id("[CLS]"), self._tokenizer.token_to_id("[SEP]")
        if first is None or last is None:
            raise IntegrityError("the encoder's tokenizer has no [CLS] and [SEP].")
        return int(first), int(last)


def _pieces(text: str) -> list[str]:
    """Return the text, or evenly spaced pieces of one too long to tokenize whole."""
    most = MOST_WINDOWS * _CHARACTERS
    if len(text) <= most:
        return [text]
    starts = np.linspace(0, len(text) - _CHARACTERS, MOST_WINDOWS).astype(int)
    return [text[start : start + _CHARACTERS] for start in starts]


def _tokenizer(files: EncoderFiles) -> Any:
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("tokenizers", "text") from error
    try:
        tokenizer = Tokenizer.from_str(files.tokenizer.decode())
    except Exception as error:  # the library raises bare Exception
        raise IntegrityError("the encoder's tokenizer.json is unreadable.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _graph(files: EncoderFiles, precision: str, cache: Path) -> bytes:
    """Return the converted graph, from the cache where it is there and whole."""
    import onnxruntime

    key = f"{files.digest[:32]}-{precision}-{encoder_graph.VERSION}-{onnxruntime.__version__}"
    path, seal = cache / f"{key}.onnx", cache / f"{key}.sha256"
    try:
        data = path.read_bytes()
        if sha256(data) == seal.read_text().strip():
            return data
    except OSError:
        pass  # not cached yet, or not readable: it is built
    data = _built(unpack(files.weights), files, precision)
    try:
        write_atomic(path, data)
        write_atomic(seal, sha256(data).encode())
    except StorageError:
        pass  # a cache that cannot be written costs seconds at the next start, nothing else
    return data


def _built(weights: Mapping[str, NDArray[Any]], files: EncoderFiles, precision: str) -> bytes:
    return encoder_graph.build(weights, files.config, WINDOW, int8=precision == "int8")


def _session(graph: bytes, threads: int) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("onnxruntime", "text") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
