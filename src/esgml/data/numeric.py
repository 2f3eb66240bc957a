"""Numbers written as texts: thousands separators, decimal commas, words for "missing"."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from esgml.core.frames import Fault, Severity
from esgml.data.faults import fault

#: Texts that mean "no value" (compared in lower case).
MISSING_WORDS = frozenset(
    {"na", "n/a", "#n/a", "n.a.", "<na>", "nan", "null", "none", "nil", "nd", "-", "--", ".", "?"}
    | {"missing", "unknown", "no data", "not available", "not applicable"}
    | {"#div/0!", "#value!", "#ref!"}
)
_GROUPS_COMMA = r"^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$"
_GROUPS_DOT = r"^[+-]?\d{1,3}(?:\.\d{3})+,\d+$"
_GROUPS_SPACE = r"^[+-]?\d{1,3}(?:[ \u00a0\u202f']\d{3})+(?:[.,]\d+)?$"
#: Whole numbers with dots before every three digits, or numbers with three decimals.
DOTTED = r"^[+-]?\d{1,3}(?:\.\d{3})*$"
_DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
_DECIMAL_COMMA_SURE = r"^[+-]?(?:\d+,\d{1,2}|\d+,\d{4,}|\d{4,},\d+|0,\d+)$"
_ACCOUNTING = r"^\((\d[\d.,]*)\)$"
_DOTTED_TWICE = r"^[+-]?[1-9]\d{0,2}(?:\.\d{3}){2,}$"
_NO_THOUSANDS = r"^[+-]?0"
#: Signs that stand for others where texts are set with care, or come from other scripts.
_SIGNS = {"\u2212": "-", "\u2013": "-", "\u2019": "'", "\u02bc": "'", "\uff0e": ".", "\uff0c": ","}
_SIGNS |= {chr(0xFF10 + digit): str(digit) for digit in range(10)}


@dataclass(frozen=True)
class ParsedNumbers:
    """A column as numbers.

    Attributes
    ----------
    values : Series of Float64
        Null where empty, where a word says "missing", and where unreadable.
    unreadable : Series of Boolean
        Cells that hold something which is no number.
    missing_words : Series of Boolean
        Cells that hold a word for "missing".
    ambiguous : str
        What could be read in two ways and how it was read, such as ``1,234: read as 1234``;
        empty where nothing could.
    """

    values: pl.Series
    unreadable: pl.Series
    missing_words: pl.Series
    ambiguous: str = ""


def parse_numbers(column: pl.Series) -> ParsedNumbers:
    """Read a column as numbers, keeping apart what is empty and what is unreadable.

    A decimal comma is recognised when some value of the column can be nothing else.
    """
    no = pl.Series(column.name, [False]).new_from_index(0, len(column))
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return ParsedNumbers(column.cast(pl.Float64), no, no)
    if column.dtype == pl.Null:
        return ParsedNumbers(column.cast(pl.Float64), no, no)
    texts = column.cast(pl.String, strict=False).str.strip_chars()
    texts = texts.str.replace_many(list(_SIGNS), list(_SIGNS.values()))
    dots = _dots(texts)
    if dots == "1.234: read as 1234":
        texts = texts.str.replace_all(".", "", literal=True)
    values = texts.cast(pl.Float64, strict=False)
    open_cells = values.is_null() & texts.is_not_null() & (texts != "")
    if not open_cells.any():
        return ParsedNumbers(values, no, no, dots)
    words = texts.str.to_lowercase().is_in(list(MISSING_WORDS)) & open_cells
    values = values.set(words.fill_null(False), None)
    rest = pl.DataFrame({"t": texts.set(~open_cells | words, None)})
    comma = bool(rest["t"].str.contains(_DECIMAL_COMMA_SURE).any()) or bool(
        rest["t"].str.contains(_GROUPS_DOT).any()
    )
    grouped = bool(rest["t"].str.contains(_GROUPS_COMMA).any())
    dotted = bool(texts.str.contains(r"^\d+\.\d+$").any())
    t = pl.col("t").str.replace(_ACCOUNTING, "-$1")
    spaceless = t.str.replace_all(r"[ \u00a0\u202f']", "")
    decimal = t.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    expression = (
        pl.when(t.str.contains(_GROUPS_SPACE))
        .then(spaceless.str.replace(",", ".", literal=True))
        .when(t.str.contains(_GROUPS_DOT))
        .then(decimal)
        .when(t.str.contains(_DECIMAL_COMMA) & pl.lit(comma and not dotted))
        .then(decimal)
        .when(t.str.contains(_GROUPS_COMMA))
        .then(t.str.replace_all(",", "", literal=True))
        .otherwise(t)
        .cast(pl.Float64, strict=False)
    )
    mended = rest.select(expression.alias("v"))["v"]
    values = values.zip_with(mended.is_null(), mended)
    unreadable = (open_cells & ~words & mended.is_null()).fill_null(False)
    doubt = "1,234: read as 1234" if grouped and not comma else ""
    return ParsedNumbers(values.alias(column.name), unreadable, words.fill_null(False), doubt)


def _dots(texts: pl.Series) -> str:
    """Tell whether the dots of a column are thousands, from its numbers alone.

    Where every number with a dot has it before groups of three digits, it can be either.
    Twice in one number, or beside whole numbers without any, it parts thousands.
    """
    filled = texts.filter((texts != "").fill_null(False))
    dotted = filled.str.contains(".", literal=True)
    if not dotted.any() or not filled.str.contains(DOTTED).all():
        return ""
    some = filled.filter(dotted)
    if some.str.contains(_NO_THOUSANDS).any():
        return ""
    if some.str.contains(_DOTTED_TWICE).any() or (len(some) > 2 and not dotted.all()):
        return "1.234: read as 1234"
    return "1.234: read as 1.234" if len(some) > 2 else ""


def two_readings(name: str, parsed: ParsedNumbers, count: int) -> list[Fault]:
    """Return a fault where the numbers of a column could be read in two ways."""
    if not parsed.ambiguous:
        return []
    return [
        fault(
            "ambiguous_number",
            Severity.WARNING,
            f"{name!r} holds numbers such as {parsed.ambiguous}.",
            "Check one value; write numbers without thousands separators to be sure.",
            column=name,
            count=count,
        )
    ]


def is_mostly_numeric(column: pl.Series, share: float = 0.9) -> bool:
    """Whether at least `share` of the filled cells of a text column are numbers."""
    if column.dtype.is_numeric():
        return True
    if column.dtype != pl.String:
        return False
    sample = column.drop_nulls()
    sample = sample.filter(sample.str.strip_chars() != "")
    if len(sample) > 20_000:
        sample = sample.gather_every(len(sample) // 10_000)
    if not len(sample):
        return False
    parsed = parse_numbers(sample)
    numbers = int(parsed.values.is_not_null().sum())
    filled = len(sample) - int(parsed.missing_words.sum())
    return numbers > 0 and numbers >= share * filled
