"""Numbers as regulations write them: 162 000, 1.5 million, 0,035, twenty-four, two thirds.

European texts write a decimal comma and thousands apart, US texts the other way round; "1,250"
alone can be either, so the whole text is asked which it is.
"""

from __future__ import annotations

import re

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
]
WORDS = {word: i for i, word in enumerate(_UNITS)} | {
    word: 10 * i for i, word in enumerate(_TENS, 2)
}
ORDINALS = {word: i for i, word in enumerate(_ORDINALS, 1)} | {
    "thirtieth": 30,
    "sixtieth": 60,
    "ninetieth": 90,
}
SCALES = {
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "mn": 1e6,
    "bn": 1e9,
    "m": 1e6,
}

_WORD = "|".join(sorted(WORDS, key=len, reverse=True))
#: A number in words, up to ninety-nine, with an optional scale.
SPELLED = (
    rf"(?:(?:{'|'.join(_TENS)})[- ](?:{'|'.join(_UNITS[1:10])})|{_WORD})(?:[ -](?:hundred"
    r"|thousand|million|billion))?"
)
#: A number in digits, with its thousands apart or not.
DIGITS = (
    r"\d{1,3}(?: \d{3})+(?:[.,]\d+)?(?![\d])|\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)"
    r"|\d{1,3}(?:\.\d{3})+(?:,\d+)?(?!\d)"
    r"|\d+(?:[.,]\d+)?"
)
SCALE = r"(?: ?(?:thousand|million|billion|trillion|mn|bn)\b)"

_DECIMAL_COMMA = re.compile(r"(?<![\d.,])\d+,(?:\d{1,2}|\d{4,})(?![\d,])|(?<![\d.,])0,\d+")
_SPACED = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?!\d)")
_EUROPEAN = re.compile(
    r"\((?:EU|EC|EEC)\)|\d/(?:EU|EC|EEC)\b|Member States|Official Journal of the European"
    r"|\bUnion (?:programmes?|law|legislation|budget|level|institutions)\b"
)
_DECIMAL_POINT = re.compile(r"(?<![\d.,])\d+\.(?:\d{1,2}|\d{4,})(?![\d.])")
_COMMA_GROUPS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3}){2,}(?!\d)")


def decimal_comma(text: str) -> bool | None:
    """Tell whether a text writes 1,250 for one and a quarter; None where nothing says so."""
    european = 2 * len(_DECIMAL_COMMA.findall(text)) + len(_SPACED.findall(text))
    european += 2 * bool(_EUROPEAN.search(text))
    american = len(_DECIMAL_POINT.findall(text)) + 3 * len(_COMMA_GROUPS.findall(text))
    american += 2 * text.count("$") + 2 * text.count("U.S.C.") + 2 * text.count("CFR")
    if european == american:
        return None
    return european > american


def value_of(number: str, comma: bool | None = None) -> tuple[float, bool]:
    """Return a number written in digits or words, and whether it could be read otherwise.

    Parameters
    ----------
    number : str
        As `DIGITS` or `SPELLED` match it, with its scale.
    comma : bool or None
        What `decimal_comma` said of the text.
    """
    text = number.strip().lower()
    scale = 1.0
    while match := re.search(r"[ -]?(hundred|thousand|million|billion|trillion|mn|bn)$", text):
        scale *= SCALES[match[1]]
        text = text[: match.start()]
    if not text:
        return scale, False
    if text[0].isalpha():
        return sum(WORDS[part] for part in re.split(r"[- ]", text)) * scale, False
    text = text.replace(" ", "")
    doubtful = False
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+", text):
        if text.count(",") == 1 and (text[0] == "0" or comma):
            text = text.replace(",", ".")
        else:
            doubtful = text.count(",") == 1 and comma is None
            text = text.replace(",", "")
    elif re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+", text) and (text.count(".") > 1 or comma):
        text = text.replace(".", "")
    elif re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+", text):
        text = text.replace(".", "").replace(",", ".")
    elif "," in text and "." in text:
        text = text.replace(",", "")
    else:
        text = text.replace(",", ".")
    exact = float(text) * scale
    return (
        round(exact) if scale > 1 and abs(exact - round(exact)) < 1e-6 * exact else exact
    ), doubtful


def whole(text: str) -> int:
    """Return a whole number in digits, words or as an ordinal ("24", "twenty-four", "20th")."""
    low = text.strip().lower()
    if low in ORDINALS:
        return ORDINALS[low]
    if low[0].isalpha():
        return int(value_of(low)[0])
    return int(re.sub(r"\D", "", low))
