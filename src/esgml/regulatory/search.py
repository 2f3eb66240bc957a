"""Search over the regulations of a workspace: by words, and by meaning where there is an encoder.

The two rankings are joined by reciprocal rank fusion, which needs no common scale: a passage
scores ``1 / (60 + rank)`` in each. The answer says which of the two took part. The index lies in
the workspace as JSON and safetensors, under a hash of the texts and the encoder it was made from,
and is made again when either changes.

Reference: G. Cormack, C. Clarke, S. Buettcher, Reciprocal Rank Fusion, SIGIR 2009.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from esgml.core.errors import IntegrityError, UsageError
from esgml.core.storage import explained, sha256, write_atomic
from esgml.nn.weights import pack, unpack
from esgml.regulatory.library import Entry, RegulationLibrary
from esgml.regulatory.passages import passages
from esgml.regulatory.word_search import WordIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FUSION = 60
#: Passages of each ranking that take part in the fusion.
DEPTH = 200
_LONGEST_QUERY = 2000
_MOST_HITS = 200


class Encoder(Protocol):
    """What turns texts into unit vectors; see `encoder.TextEncoder`."""

    @property
    def name(self) -> str:
        """Name of the encoder and its precision."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, one row a text."""
        ...


@dataclass(frozen=True)
class SearchIndex:
    """Passages of a library, ready to be searched.

    Attributes
    ----------
    spans : array of int, shape (n, 3)
        Number of the text, start and end of each passage.
    word_index : WordIndex
    vectors : array of float32, shape (n, d), or None
    """

    spans: NDArray[np.int64]
    word_index: WordIndex
    vectors: NDArray[np.float32] | None

    @classmethod
    def build(cls, texts: Sequence[str], encoder: Encoder | None = None) -> SearchIndex:
        """Cut texts into passages and index them."""
        spans = [(i, a, b) for i, text in enumerate(texts) for a, b in passages(text)]
        pieces = [texts[i][a:b] for i, a, b in spans]
        vectors = None
        if encoder is not None and pieces:
            vectors = np.asarray(encoder.encode(pieces), dtype=np.float32)
        return cls(np.array(spans, dtype=np.int64).reshape(-1, 3), WordIndex.build(pieces), vectors)

    def rank(self, query: str, encoder: Encoder | None = None) -> list[tuple[int, float]]:
        """Return passages by falling score: (number of the passage, score)."""
        by_word = self.word_index.scores(query)
        order = np.argsort(-by_word, kind="stable")[:DEPTH]
        order = order[by_word[order] > 0]
        if self.vectors is None or encoder is None:
            return [(int(i), float(by_word[i])) for i in order]
        near = self.vectors @ np.asarray(encoder.encode([query]), dtype=np.float32)[0]
        by_meaning = np.argsort(-near, kind="stable")[:DEPTH]
        fused: dict[int, float] = {}
        for ranking in (order, by_meaning):
            for place, i in enumerate(ranking):
                fused[int(i)] = fused.get(int(i), 0.0) + 1.0 / (FUSION + 1 + place)
        return sorted(fused.items(), key=lambda pair: (-pair[1], pair[0]))

    def to_bytes(self) -> tuple[bytes, bytes]:
        """Return the vocabulary as JSON and the arrays as safetensors."""
        index = self.word_index
        arrays: dict[str, NDArray[Any]] = {
            "spans": self.spans,
            "starts": index.starts,
            "passage": index.passage,
            "weight": index.weight,
        }
        if self.vectors is not None:
            arrays["vectors"] = self.vectors
        head = {"schema": "esgml.search/1", "words": list(index.vocabulary)}
        return json.dumps(head).encode(), pack(arrays)

    @classmethod
    def from_bytes(cls, head: bytes, data: bytes) -> SearchIndex:
        """Read an index back.

        Raises
        ------
        IntegrityError
            If the two do not fit each other.
        """
        arrays = unpack(data)
        try:
            found = json.loads(head)["words"]
            index = WordIndex(
                {word: i for i, word in enumerate(found)},
                arrays["starts"],
                arrays["passage"],
                arrays["weight"],
                len(arrays["spans"]),
            )
            fits = len(index.starts) == len(found) + 1 and index.starts[-1] == len(index.passage)
            inside = not len(index.passage) or int(index.passage.max()) < index.passages
            if not fits or not inside or len(index.weight) != len(index.passage):
                raise ValueError("sizes do not fit")
            return cls(arrays["spans"], index, arrays.get("vectors"))
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("this is no search index.") from error


def _index(
    library: RegulationLibrary, entries: Sequence[Entry], encoder: Encoder | None
) -> SearchIndex:
    """Return the index of a library, read where it is up to date, else made and stored."""
    key = json.dumps([[e.sha256 for e in entries], encoder.name if encoder else "", "1"])
    base = library.folder / "index" / sha256(key.encode())[:32]
    head, data = base.with_suffix(".json"), base.with_suffix(".safetensors")
    if head.exists() and data.exists():
        with explained(base):
            return SearchIndex.from_bytes(head.read_bytes(), data.read_bytes())
    index = SearchIndex.build([library.read(e) for e in entries], encoder)
    first, second = index.to_bytes()
    write_atomic(data, second)
    write_atomic(head, first)
    return index


def search(
    library: RegulationLibrary, query: str, *, limit: int = 10, encoder: Encoder | None = None
) -> dict[str, Any]:
    """Find passages of the ingested regulations that answer a query.

    Parameters
    ----------
    library : RegulationLibrary
    query : str
        Words, or a question in plain language.
    limit : int
        Most hits, one a passage.
    encoder : optional
        Embeds passages and query; words alone decide without one.

    Returns
    -------
    dict
        ``method`` says what took part; each hit names its regulation and carries its passage as
        ``evidence`` (``text``, ``start``, ``end`` in the text as it was given).

    Raises
    ------
    UsageError
        If the query is empty or too long, or the limit is not from 1 to 200.
    """
    if not isinstance(query, str) or not query.strip() or len(query) > _LONGEST_QUERY:
        raise UsageError(f"a query has 1 to {_LONGEST_QUERY} characters.", where="query")
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= _MOST_HITS:
        raise UsageError(f"limit is a whole number from 1 to {_MOST_HITS}.", where="limit")
    entries = library.entries()
    index = _index(library, entries, encoder) if entries else SearchIndex.build([])
    texts: dict[int, str] = {}
    hits = []
    for i, score in index.rank(query, encoder if entries else None)[:limit]:
        number, start, end = (int(x) for x in index.spans[i])
        entry = entries[number]
        if number not in texts:
            texts[number] = library.read(entry)
        hits.append(
            {
                "id": entry.name,
                "version": entry.version,
                "title": entry.title,
                "score": round(score, 6),
                "evidence": {"text": texts[number][start:end], "start": start, "end": end},
            }
        )
    return {
        "schema": "esgml.regulation_search/1",
        "query": query,
        "method": "words and meaning" if encoder is not None else "words",
        "encoder": encoder.name if encoder is not None else None,
        "texts": len(entries),
        "passages": len(index.spans),
        "hits": hits,
    }
