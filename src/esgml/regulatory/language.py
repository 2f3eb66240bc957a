"""Which language a text is written in, from its most frequent small words and its script.

Small on purpose: it only has to know English from what the rules and classifiers of this
package cannot read. Below about ten words it says so instead of guessing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

#: The one language that is read.
SUPPORTED = "en"

_SMALL_WORDS = {
    "en": "the of and to in for shall be by with that this is or any which as not from on at it "
    "are"
    " may such an its under where must has have will than",
    "de": "der die das und von des den dem zu im mit für auf ist nicht ein eine einer oder "
    "werden nach"
    " dieser sind bei durch zur zum wird an als gemäß über",
    "fr": "le la les de des du et à en un une dans par pour que qui au aux est sont sur ne pas "
    "ou ce"
    " cette être conformément avec présent",
    "es": "el la los las de del y en que un una por para con se al o su como es no sobre presente"
    " artículo deberán lo más",
    "it": "il lo la i gli le di del della dei delle e in un una per con che al alla da dal è "
    "sono non"
    " si presente articolo",
    "pt": "o a os as de do da dos das e em no na um uma por para com que ao se ou não presente "
    "artigo"
    " são pelo pela",
    "nl": "de het een van en in op te dat die voor met zijn is aan door of niet worden bij wordt "
    "als"
    " deze lid overeenkomstig naar",
    "pl": "w i z na do o się nie że oraz jest przez dla lub którym są od po za państwa "
    "niniejszej ust art",
    "sv": "och i att det som en av för den med på är till om ett ska inte eller från enligt "
    "denna skall"
    " har medlemsstaterna",
    "da": "og i at det som en af for den med på er til om et skal ikke eller fra denne har "
    "artikel"
    " medlemsstaterne de",
    "fi": "ja on että ei se tai joka tämän mukaisesti sekä jos ovat kun voi myös artiklan",
    "cs": "a v na se je že o pro s z do podle nebo které článku k by jsou být tohoto",
    "ro": "și de la în a al cu pe care din sau pentru este prin nu un o se articolul",
    "hu": "a az és hogy nem is vagy ezt egy meg kell szerinti cikk között",
}
_SETS = {code: frozenset(words.split()) for code, words in _SMALL_WORDS.items()}
#: Scripts by the first letter of their block, for languages without spaces or Latin letters.
_SCRIPTS = (
    ("el", "\u0370", "\u03ff"),
    ("cyrillic", "\u0400", "\u04ff"),
    ("he", "\u0590", "\u05ff"),
    ("ar", "\u0600", "\u06ff"),
    ("hi", "\u0900", "\u097f"),
    ("th", "\u0e00", "\u0e7f"),
    ("ja", "\u3040", "\u30ff"),
    ("zh", "\u4e00", "\u9fff"),
    ("ko", "\uac00", "\ud7af"),
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_MOST_WORDS = 20_000
_FEWEST_WORDS = 8


@dataclass(frozen=True)
class Language:
    """A language and how sure it is.

    Attributes
    ----------
    code : str
        ISO 639-1 code; ``cyrillic`` for a script several languages share; ``und`` where the
        text is too short or looks like no known language.
    share : float
        Share of the words that are small words of that language, 0-1.
    """

    code: str
    share: float

    @property
    def supported(self) -> bool:
        """Whether the text can be read; what is undetermined is read, with a warning."""
        return self.code in (SUPPORTED, "und")


def detect(text: str) -> Language:
    """Return the language of a text, judged by at most its first 20,000 words.

    Weakness: related languages (Danish and Norwegian, Czech and Slovak) are not told apart, and
    lists of names without sentences are ``und``.
    """
    head = text[: _MOST_WORDS * 12]
    letters = sum(map(str.isalpha, head))
    for code, first, last in _SCRIPTS:
        here = sum(1 for c in head if first <= c <= last) if letters and not head.isascii() else 0
        if here * 2 > letters:
            return Language("ja" if code == "zh" and _has_kana(head) else code, here / letters)
    words = [match[0].lower() for match in _WORD.finditer(head)][:_MOST_WORDS]
    if not words:
        return Language("und", 0.0)
    counts = Counter(words)
    shares = {
        code: sum(counts[word] for word in known) / len(words) for code, known in _SETS.items()
    }
    best = max(shares, key=lambda code: (shares[code], code == SUPPORTED))
    if len(words) < _FEWEST_WORDS or shares[best] < 0.12:
        return Language("und", shares[best])
    return Language(best, shares[best])


def _has_kana(text: str) -> bool:
    return any("\u3040" <= c <= "\u30ff" for c in text)
