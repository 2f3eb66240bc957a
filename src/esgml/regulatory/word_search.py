"""Search by words: Okapi BM25 over passages, on flat arrays.

Words are folded (case, accents, plural s) and numbers are kept, since people search laws by them.
Postings are stored sorted by word, so that a query touches only the passages that hold its words.

Reference: S. Robertson, H. Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond,
Foundations and Trends in Information Retrieval 3 (2009) 333-389; k1 = 1.2, b = 0.75.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

K1 = 1.2
B = 0.75
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Return the words of a text, folded."""
    plain = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return [_singular(word) for word in _WORD.findall(plain)]


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


@dataclass(frozen=True)
class WordIndex:
    """Which passages hold which words, and how often.

    Attributes
    ----------
    vocabulary : dict of word to int
    starts : array of int, shape (words + 1,)
        Where the postings of each word begin.
    passage : array of int32, shape (postings,)
    weight : array of float32, shape (postings,)
        The part of the score that does not depend on the query.
    passages : int
    """

    vocabulary: dict[str, int]
    starts: NDArray[np.int64]
    passage: NDArray[np.int32]
    weight: NDArray[np.float32]
    passages: int

    @classmethod
    def build(cls, texts: Sequence[str]) -> WordIndex:
        """Index texts."""
        counts = [Counter(words(text)) for text in texts]
        length = np.array([sum(c.values()) for c in counts], dtype=np.float64)
        mean = float(length.mean()) if len(length) and length.sum() else 1.0
        postings: dict[str, list[tuple[int, int]]] = {}
        for i, count in enumerate(counts):
            for word, times in count.items():
                postings.setdefault(word, []).append((i, times))
        vocabulary = {word: i for i, word in enumerate(sorted(postings))}
        starts = np.zeros(len(vocabulary) + 1, dtype=np.int64)
        passage, weight = [], []
        for word, at in vocabulary.items():
            found = np.array(postings[word], dtype=np.int64)
            starts[at + 1] = starts[at] + len(found)
            idf = np.log(1.0 + (len(texts) - len(found) + 0.5) / (len(found) + 0.5))
            often = found[:, 1].astype(np.float64)
            norm = K1 * (1.0 - B + B * length[found[:, 0]] / mean)
            passage.append(found[:, 0])
            weight.append(idf * often * (K1 + 1.0) / (often + norm))
        empty = not vocabulary
        return cls(
            vocabulary,
            starts,
            np.zeros(0, np.int32) if empty else np.concatenate(passage).astype(np.int32),
            np.zeros(0, np.float32) if empty else np.concatenate(weight).astype(np.float32),
            len(texts),
        )

    def scores(self, query: str) -> NDArray[np.float64]:
        """Return the BM25 score of every passage; 0 where it holds no word of the query."""
        total = np.zeros(self.passages)
        for word in dict.fromkeys(words(query)):
            at = self.vocabulary.get(word)
            if at is not None:
                part = slice(self.starts[at], self.starts[at + 1])
                total[self.passage[part]] += self.weight[part]  # a passage stands once per word
        return total
