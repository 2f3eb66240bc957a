"""Words and pieces of words as vectors, weighted by how rare they are.

A vector keeps which words its terms came from, so that a linear score can be split exactly over
the words, and so over the spans, of the text. Prediction needs numpy alone.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from esgml.core.errors import HistoryError, IntegrityError
from esgml.regulatory.words import blanked_tokens, normal, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

Unit = Literal["piece", "word", "opening", "both"]
#: Before a whole word where pieces are counted too; no run without white space holds it.
_WHOLE = "\t"
#: Words at the beginning of a text that count a second time, as the opening.
_OPENING = 25
#: Lengths of the pieces a word is cut into.
_SHORTEST, _LONGEST = 2, 5
#: A token longer than this is no word: only its beginning is cut.
_MOST_LETTERS = 40
#: Most tokens whose columns are remembered.
_REMEMBERED = 100_000
#: Words so common that a term of one of them says nothing.
_COMMON = """the of and to in a is for on that by as with be are this it an or at from which was
has have its will been not also these their such other into under may can all"""
STOP = frozenset(_COMMON.split())


@dataclass(frozen=True)
class Tokens:
    """The distinct tokens of a text and where they stand.

    Attributes
    ----------
    distinct : list of str
    which : array, shape (occurrences,)
        Position among the distinct tokens.
    start : array, shape (occurrences,)
        Character offset in the text.
    """

    distinct: list[str]
    which: NDArray[np.int64]
    start: NDArray[np.int64]


@functools.lru_cache(maxsize=4)
def tokens(text: str, unit: Unit) -> Tokens:
    """Return the tokens of a text: runs without white space, or words and pairs, or both."""
    found: list[tuple[str, int]] = []
    if unit in ("piece", "both"):
        found += [(normal(token), start) for token, start in blanked_tokens(text)]
    if unit != "piece":
        plain, mark = words(text), _WHOLE if unit == "both" else ""
        found += [(mark + word.text, word.start) for word in plain if word.text not in STOP]
        found += [
            (f"{mark}{first.text} {second.text}", first.start)
            for first, second in pairwise(plain)
            if first.text not in STOP or second.text not in STOP
        ]
    if unit == "opening":
        plain = words(text)[:_OPENING]
        last = plain[-1].start if plain else -1
        found += [(f"^{token}", start) for token, start in found if start <= last]
    place: dict[str, int] = {}
    which = [place.setdefault(token, len(place)) for token, _ in found]
    starts = np.array([start for _, start in found], dtype=np.int64)
    return Tokens(list(place), np.array(which, dtype=np.int64), starts)


def pieces(token: str) -> list[str]:
    """Return the runs of two to five characters of a token, its edges marked by spaces."""
    marked = f" {token[:_MOST_LETTERS]} "
    return [
        marked[i : i + size]
        for size in range(_SHORTEST, _LONGEST + 1)
        for i in range(max(len(marked) - size + 1, 1))
    ]


def _whole(token: str) -> list[str]:
    return [token]


def _either(token: str) -> list[str]:
    return [token] if token.startswith(_WHOLE) else pieces(token)


_TERMS: dict[str, Callable[[str], list[str]]] = {
    "piece": pieces,
    "word": _whole,
    "opening": _whole,
    "both": _either,
}


@dataclass(frozen=True)
class Counted:
    """The known terms of one text.

    Attributes
    ----------
    index, value, times : array, shape (terms,)
        Column, weight (of unit length together, words and pieces apart) and number of occurrences
        of each known term.
    tokens : Tokens
    known : array of bool, shape (distinct tokens,)
        Whether any term of the token is known.
    """

    index: NDArray[np.int64]
    value: NDArray[np.float64]
    times: NDArray[np.float64]
    tokens: Tokens
    known: NDArray[np.bool_]


class TermVectors:
    """A vocabulary with weights: texts in, sparse vectors of unit length out (`both`: two).

    Parameters
    ----------
    terms : sequence of str
        Terms in column order.
    idf : array, shape (terms,)
        Weight of each term.
    unit : {"piece", "word", "opening", "both"}
        Pieces of two to five letters, which see through endings, names of years and spellings;
        whole words and pairs of neighbouring words; these and, apart, those of the first 25
        words, where a text says what it is; or pieces and words side by side.

    References
    ----------
    Salton and Buckley (1988); pieces as in scikit-learn's ``char_wb``: ``1 + log count``, smoothed
    ``log((1 + n) / (1 + df)) + 1``, unit length. Deviation: no pair of common words alone.
    """

    def __init__(self, terms: Sequence[str], idf: NDArray[Any], unit: Unit) -> None:
        if len(terms) != len(idf) or not np.isfinite(idf).all():
            raise IntegrityError("the vocabulary and its weights do not fit together.")
        if unit not in _TERMS:
            raise IntegrityError(f"unknown unit {unit!r} of a vocabulary.")
        self.terms = tuple(terms)
        self.idf = np.asarray(idf, dtype=np.float64)
        self.unit: Unit = unit
        self._column = {term: column for column, term in enumerate(self.terms)}
        if len(self._column) != len(self.terms):
            raise IntegrityError("the vocabulary holds a term twice.")
        self._is_whole = np.array([term.startswith(_WHOLE) for term in self.terms], dtype=bool)
        self._remembered: dict[str, NDArray[np.int64]] = {}

    @classmethod
    def fit(cls, texts: Sequence[str], *, unit: Unit, fewest: int, most: int) -> Self:
        """Learn the vocabulary: terms of at least `fewest` texts, the `most` most frequent.

        Raises
        ------
        HistoryError
            If no term is in `fewest` texts.
        """
        cut = functools.lru_cache(maxsize=_REMEMBERED)(_TERMS[unit])
        found: Counter[str] = Counter()
        for text in texts:
            found.update({term for token in tokens(text, unit).distinct for term in cut(token)})
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
        return cls(kept, np.log((1 + len(texts)) / (1 + counts)) + 1, unit)

    def columns(self, token: str) -> NDArray[np.int64]:
        """Return the columns of a token's known terms, one twice where it is there twice."""
        found = self._remembered.get(token)
        if found is None:
            known = (self._column.get(term) for term in _TERMS[self.unit](token))
            found = np.array([c for c in known if c is not None], dtype=np.int64)
            if len(self._remembered) < _REMEMBERED:
                self._remembered[token] = found
        return found

    def count(self, text: str) -> Counted:
        """Return the known terms of one text with their weights."""
        found = tokens(text, self.unit)
        often = np.bincount(found.which, minlength=len(found.distinct))
        by_token = [self.columns(token) for token in found.distinct]
        sizes = np.array([len(columns) for columns in by_token], dtype=np.int64)
        flat = np.concatenate(by_token) if by_token else np.empty(0, dtype=np.int64)
        index, place = np.unique(flat, return_inverse=True)
        each = np.repeat(often, sizes).astype(np.float64)
        times = np.bincount(place, each, len(index)).astype(np.float64)
        value = (1 + np.log(times)) * self.idf[index]
        # Words and pieces each have unit length: else the many pieces would drown the words.
        whole = self._is_whole[index]
        for block in (whole, ~whole):
            length = float(np.linalg.norm(value[block]))
            if length:
                value[block] /= length
        return Counted(index, value, times, found, sizes > 0)

    def parts(self, counted: Counted, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each occurrence of each distinct token adds to a linear score.

        Summed over all occurrences this is the score without its bias, exactly.
        """
        share = np.zeros(len(self.terms))
        share[counted.index] = counted.value * weights[counted.index] / counted.times
        return np.array([share[self.columns(t)].sum() for t in counted.tokens.distinct])

    def matrix(self, texts: Sequence[str]) -> Any:
        """Return the vectors of many texts as a SciPy CSR matrix, for training."""
        from scipy.sparse import csr_matrix

        counted = [self.count(text) for text in texts]
        edges = np.cumsum([0, *(len(one.index) for one in counted)])
        values = np.concatenate([one.value for one in counted]) if counted else np.empty(0)
        index = np.concatenate([one.index for one in counted]) if counted else np.empty(0, int)
        return csr_matrix((values, index, edges), shape=(len(texts), len(self.terms)))

    def kept(self, columns: NDArray[np.int64]) -> TermVectors:
        """Return the vocabulary of some columns only."""
        return TermVectors([self.terms[i] for i in columns.tolist()], self.idf[columns], self.unit)

    def to_json(self) -> bytes:
        """Return the vocabulary as JSON; its weights are kept beside it, with the arrays."""
        document = {"unit": self.unit, "terms": list(self.terms)}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes, idf: NDArray[Any]) -> Self:
        """Build the vocabulary that `to_json` wrote.

        Raises
        ------
        IntegrityError
            If it is not a list of distinct strings that fits its weights.
        """
        try:
            document = json.loads(data)
            terms, unit = document["terms"], document["unit"]
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError("the vocabulary is unreadable.") from error
        if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
            raise IntegrityError("the vocabulary is no list of words.")
        return cls(terms, idf, unit)
