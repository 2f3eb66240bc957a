"""Word counts as vectors: terms of one and two words, weighted by how rare they are.

The same few lines serve training and prediction, and need numpy alone; a vector keeps the
places of its terms, so that a linear score can be split exactly over the spans of the text.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from esgml.core.errors import HistoryError, IntegrityError
from esgml.regulatory.words import Word, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Most words of one text that are counted: 5 MB of prose.
MOST_WORDS = 1_000_000
#: Words so common that a term of one of them says nothing.
_COMMON = """the of and to in a is for on that by as with be are this it an or at from which was
has have its will been not also these their such other into under may can all"""
STOP = frozenset(_COMMON.split())


@dataclass(frozen=True)
class Counted:
    """The known terms of one text.

    Attributes
    ----------
    index, value : array, shape (terms,)
        Column and weight of each known term; the weights have unit length.
    at : list of (column, start, end)
        Every occurrence of a known term, with its place in the text.
    known, total : int
        Words that belong to a known term, and all words.
    """

    index: NDArray[np.int64]
    value: NDArray[np.float64]
    at: list[tuple[int, int, int]]
    known: int
    total: int


class TermVectors:
    """A vocabulary with weights: texts in, sparse vectors of unit length out.

    Parameters
    ----------
    terms : sequence of str
        Terms in column order; two words are joined by a space.
    idf : array, shape (terms,)
        Weight of each term.

    References
    ----------
    Salton and Buckley (1988). As in scikit-learn: ``1 + log count``, smoothed
    ``log((1 + n) / (1 + df)) + 1``, unit length. Deviation: no term of common words alone.
    """

    def __init__(self, terms: Sequence[str], idf: NDArray[np.float64]) -> None:
        if len(terms) != len(idf) or not np.isfinite(idf).all():
            raise IntegrityError("the vocabulary and its weights do not fit together.")
        self.terms = tuple(terms)
        self.idf = np.asarray(idf, dtype=np.float64)
        self.columns = {term: column for column, term in enumerate(self.terms)}
        if len(self.columns) != len(self.terms):
            raise IntegrityError("the vocabulary holds a term twice.")

    @classmethod
    def fit(cls, texts: Sequence[str], *, fewest: int = 2, most: int = 50_000) -> Self:
        """Learn the vocabulary: terms of at least `fewest` texts, the `most` most frequent.

        Raises
        ------
        HistoryError
            If no term is in `fewest` texts.
        """
        found: Counter[str] = Counter()
        for text in texts:
            found.update({term for term, *_ in _terms(words(text))})
        kept = [term for term, count in found.items() if count >= fewest]
        if not kept:
            raise HistoryError(
                f"no word is in {fewest} of the {len(texts)} texts.",
                code="no_words",
                remedy="Give more texts, or longer ones.",
            )
        kept = sorted(sorted(kept), key=lambda term: -found[term])[:most]
        kept.sort()
        counts = np.array([found[term] for term in kept], dtype=np.float64)
        return cls(kept, np.log((1 + len(texts)) / (1 + counts)) + 1)

    def count(self, text: str) -> Counted:
        """Return the known terms of one text with their weights and places."""
        counted: dict[int, int] = {}
        at: list[tuple[int, int, int]] = []
        found = words(text)[:MOST_WORDS]
        known: set[int] = set()
        for term, start, end in _terms(found):
            column = self.columns.get(term)
            if column is not None:
                counted[column] = counted.get(column, 0) + 1
                at.append((column, start, end))
                if " " not in term:
                    known.add(start)
        index = np.fromiter(sorted(counted), dtype=np.int64, count=len(counted))
        value = np.array([1 + math.log(counted[i]) for i in index.tolist()]) * self.idf[index]
        length = float(np.linalg.norm(value))
        plain = sum(word.text not in STOP for word in found)
        return Counted(index, value / length if length else value, at, len(known), plain)

    def matrix(self, texts: Sequence[str]) -> Any:
        """Return the vectors of many texts as a SciPy CSR matrix, for training."""
        from scipy.sparse import csr_matrix

        counted = [self.count(text) for text in texts]
        edges = np.cumsum([0, *(len(one.index) for one in counted)])
        return csr_matrix(
            (
                np.concatenate([one.value for one in counted]) if counted else [],
                np.concatenate([one.index for one in counted]) if counted else [],
                edges,
            ),
            shape=(len(texts), len(self.terms)),
        )

    def kept(self, columns: NDArray[np.int64]) -> TermVectors:
        """Return the vocabulary of some columns only."""
        return TermVectors([self.terms[i] for i in columns.tolist()], self.idf[columns])

    def to_json(self) -> bytes:
        """Return the vocabulary as JSON; its weights are kept beside it, with the arrays."""
        return json.dumps(list(self.terms), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes, idf: NDArray[Any]) -> Self:
        """Build the vocabulary that `to_json` wrote.

        Raises
        ------
        IntegrityError
            If it is not a list of distinct strings that fits its weights.
        """
        try:
            terms = json.loads(data)
        except ValueError as error:
            raise IntegrityError("the vocabulary is unreadable.") from error
        if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
            raise IntegrityError("the vocabulary is no list of words.")
        return cls(terms, np.asarray(idf, dtype=np.float64))


def _terms(found: Sequence[Word]) -> list[tuple[str, int, int]]:
    """Return all terms of one and two neighbouring words, with their places."""
    terms = [(word.text, word.start, word.end) for word in found if word.text not in STOP]
    terms += [
        (f"{first.text} {second.text}", first.start, second.end)
        for first, second in pairwise(found)
        if first.text not in STOP or second.text not in STOP
    ]
    return terms
