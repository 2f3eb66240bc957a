"""Delimited text as a table: separator, encoding and line ends found out, every row kept."""

from __future__ import annotations

import codecs
import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from esgml.core.errors import ReadError
from esgml.data.numeric import DOTTED

_SEPARATORS = (",", ";", "\t", "|")
_SNIFF_BYTES = 65_536
_INFER_ROWS = 10_000


def read_text(path: Path) -> pl.DataFrame:
    """Return the table in a CSV, TSV or compressed CSV file.

    Raises
    ------
    ReadError
        If the bytes are no table: empty, binary, ragged rows, wrong encoding.
    """
    packed = path.suffix.lower() == ".gz"
    try:
        with gzip.open(path) if packed else open(path, "rb") as file:
            head = file.read(_SNIFF_BYTES)
    except (gzip.BadGzipFile, EOFError) as error:
        raise ReadError(
            f"not a readable gzip file: {error}",
            where=str(path),
            remedy="Copy or download the file again; it may be cut off.",
        ) from error
    source: Path | io.BytesIO = path
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        source, head = _again(_utf16(path, packed).encode())
    if b"\0" in head:
        raise ReadError(
            "this is a binary file, not text.",
            code="binary",
            where=str(path),
            remedy="Give a CSV file, or the ending that fits its content (.parquet, .arrow).",
        )
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        raise ReadError(
            "the file holds only white space.",
            code="empty_file",
            where=str(path),
            remedy="Export the table again; it needs a header and at least two rows.",
        )
    if b"\r" in head and b"\n" not in head:  # lines as old spreadsheets of the Mac end them
        source, head = _again(_bytes(path, packed, source).replace(b"\r", b"\n"))
    separator = sniff_separator(head.decode("utf-8", errors="replace"))
    try:
        frame = _parse(source, separator)
    except OSError:
        raise
    except Exception as error:
        raise _explained(path, separator, error) from error
    return _named(frame, str(path))


def _again(data: bytes) -> tuple[io.BytesIO, bytes]:
    return io.BytesIO(data), data[:_SNIFF_BYTES]


def _bytes(path: Path, packed: bool, source: Path | io.BytesIO) -> bytes:
    if isinstance(source, io.BytesIO):
        return source.getvalue()
    data = path.read_bytes()
    return gzip.decompress(data) if packed else data


def _utf16(path: Path, packed: bool) -> str:
    try:
        return _bytes(path, packed, path).decode("utf-16")
    except UnicodeDecodeError as error:
        raise ReadError(
            f"byte {error.start + 1} is not UTF-16, as which the file begins.",
            code="encoding",
            where=str(path),
            remedy="Save it as UTF-8 CSV; it may be cut off.",
        ) from error


def _parse(source: Path | io.BytesIO, separator: str) -> pl.DataFrame:
    def read(**options: object) -> pl.DataFrame:
        if isinstance(source, io.BytesIO):
            source.seek(0)
        return pl.read_csv(source, separator=separator, **options)  # type: ignore[arg-type]

    try:
        frame = read(infer_schema_length=_INFER_ROWS)
    except pl.exceptions.ComputeError:
        try:
            # a text far down in a numeric column: look at every row before deciding on types
            frame = read(infer_schema_length=None)
        except pl.exceptions.ComputeError:
            # digits of other scripts pass for numbers until they are to be read as such
            frame = read(infer_schema=False)
    decimals = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    if separator != ";" or not decimals:
        return frame
    # the comma is likely the decimal sign: dots before three digits may mean thousands
    texts = read(infer_schema=False).select(decimals)
    dotted = [
        name
        for name in decimals
        if texts[name].str.contains(".", literal=True).any()
        and texts[name].str.contains(DOTTED).all()
    ]
    return frame.with_columns(texts.select(dotted))


def _named(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return the table with trimmed names, without columns that have neither name nor value."""
    twice = r"_duplicated_\d+$"
    # separators at the end of every line make such columns
    frame = frame.select(
        column
        for column in frame.columns
        if re.sub(twice, "", column).strip("\ufeff ") or frame[column].null_count() < frame.height
    )
    names = [name.strip().strip("\ufeff") for name in frame.columns]
    if any(re.search(twice, name) for name in names):
        refuse_repeated([re.sub(twice, "", name) for name in names], where)
    frame.columns = names
    return frame


def refuse_repeated(names: Sequence[str], where: str) -> None:
    """Raise `ReadError` where two columns have one name."""
    repeated = sorted({n for n in names if list(names).count(n) > 1})
    if repeated:
        shown = ", ".join(map(repr, repeated[:8])) + (", …" if len(repeated) > 8 else "")
        raise ReadError(
            f"column {shown} appears more than once.",
            code="duplicate_column",
            where=where,
            remedy="Give every column its own name.",
        )


def sniff_separator(head: str) -> str:
    """Return the separator of delimited text: the one that splits the first lines alike."""
    lines = [line for line in head.splitlines()[:20] if line.strip()]
    if len(lines) > 2:
        lines = lines[:-1]  # the last may be cut off
    best, score = ",", (0, 0)
    for separator in _SEPARATORS:
        counts = [len(re.sub(r'"[^"]*"', "", line).split(separator)) - 1 for line in lines]
        if counts and counts[0] > 0:
            alike = sum(count == counts[0] for count in counts)
            if (alike, counts[0]) > score:
                best, score = separator, (alike, counts[0])
    return best


def _explained(path: Path, separator: str, error: Exception) -> ReadError:
    """Find the first line that is not UTF-8 or has another number of fields."""
    import csv

    opener = gzip.open if path.suffix.lower() == ".gz" else open
    number = 0
    with opener(path, "rb") as raw:
        try:
            for number, line in enumerate(raw, start=1):  # noqa: B007 - used in the handler
                line.decode("utf-8")
        except UnicodeDecodeError as bad:
            return ReadError(
                f"byte {bad.start + 1} of line {number} is not UTF-8.",
                code="encoding",
                where=f"{path}: line {number}",
                remedy=f"Save it as UTF-8, or convert it: iconv -f CP1252 -t UTF-8 {path.name}"
                " > utf8.csv.",
            )
    with opener(path, "rt", encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, delimiter=separator)
        try:
            header = next(rows, [])
            for row in rows:
                if row and len(row) != len(header):
                    titled = len(header) == 1 and len(row) > 1
                    return ReadError(
                        f"line {rows.line_num} has {len(row)} fields, the header has"
                        f" {len(header)}.",
                        code="ragged",
                        where=f"{path}: line {rows.line_num}",
                        remedy="Remove the lines above the header: the names of the columns"
                        " come first."
                        if titled
                        else "Quote fields that hold the separator, or mend the line.",
                    )
        except csv.Error as bad:
            return ReadError(
                f"{bad}.",
                where=f"{path}: line {rows.line_num}",
                remedy="Mend the line, or give the table as Parquet.",
            )
    return ReadError(
        f"cannot be read as delimited text: {(str(error).splitlines() or [''])[0][:200]}",
        where=str(path),
        remedy="Save it as UTF-8 CSV with one header line.",
    )
