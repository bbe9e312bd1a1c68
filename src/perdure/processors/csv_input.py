"""A table file as UTF-8: finds its encoding, and transcodes what is not UTF-8, in a stream, in bounded memory.

The order: a byte order mark; what the payload says; UTF-8 if every byte agrees; else Windows-1252, which is what
spreadsheets write where they do not write UTF-8 (reported, so that a wrong guess can be seen). A given encoding must
fit every byte; a guessed one replaces what does not fit.
"""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from pathlib import Path

from perdure.processors.base import JobContext, NotRetryable
from perdure.processors.stopping import stop_if_cancelled

BLOCK_BYTES = 1_048_576
HEAD_BYTES = 65_536
MAX_LINE_BYTES = 2_000_000
"""DuckDB's own limit of a row, and what its buffers are sized by."""
FALLBACK = "windows-1252"

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class TableText:
    """Where the table lies as UTF-8, and the encoding it came in."""

    path: Path
    encoding: str
    is_guess: bool


def as_utf8(file: Path, encoding: str | None, scratch: Path, ctx: JobContext) -> TableText:
    """The file itself where it is UTF-8, else a transcoded copy in ``scratch``."""
    found = _marked(file) or _given(encoding)
    if found is None:
        found = "utf-8" if _is_utf8(file, ctx) else FALLBACK
    elif found == "utf-8" and not _is_utf8(file, ctx):
        raise NotRetryable("The file is not UTF-8 all through. Name its encoding, or leave it out to have it detected.")
    is_guess = found == FALLBACK and encoding is None
    path = file if found == "utf-8" else scratch / "transcoded.csv"
    if path is not file:
        _transcode(file, path, found, "replace" if is_guess else "strict", ctx)
    _refuse_what_is_no_table(path)
    _refuse_long_lines(path, ctx)
    return TableText(path, found, is_guess)


def with_plain_line_ends(table: Path, scratch: Path, ctx: JobContext) -> Path:
    """A copy of a UTF-8 table in ``scratch`` in which every line ends alike."""
    copy = scratch / "line-ends.csv"
    with table.open(encoding="utf-8") as source, copy.open("w", encoding="utf-8", newline="") as target:
        while text := source.read(BLOCK_BYTES):
            stop_if_cancelled(ctx)
            target.write(text)
    return copy


def _given(encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        name = codecs.lookup(encoding).name
        io.TextIOWrapper(io.BytesIO(), encoding=name)  # refuses codecs that are none of text, such as zlib
    except (LookupError, ValueError):
        raise NotRetryable("This encoding is not known. Take a name such as utf-8, windows-1252 or utf-16.") from None
    return name


def _marked(file: Path) -> str | None:
    with file.open("rb") as opened:
        head = opened.read(4)
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def _is_utf8(file: Path, ctx: JobContext) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with file.open("rb") as opened:
            while block := opened.read(BLOCK_BYTES):
                stop_if_cancelled(ctx)
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _transcode(file: Path, copy: Path, encoding: str, errors: str, ctx: JobContext) -> None:
    try:
        with (
            file.open(encoding=encoding, errors=errors, newline="") as source,
            copy.open("w", encoding="utf-8", newline="") as target,
        ):
            while text := source.read(BLOCK_BYTES):
                stop_if_cancelled(ctx)
                target.write(text)
    except UnicodeError:
        raise NotRetryable(
            f"The file holds bytes that are not {encoding}. Name its encoding, or leave it out to have it detected."
        ) from None


def _refuse_what_is_no_table(file: Path) -> None:
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    if b"\x00" in head:
        raise NotRetryable("The file holds NUL bytes: it is no text table. Export it as CSV and upload that.")
    if len(head) < HEAD_BYTES and not head.removeprefix(codecs.BOM_UTF8).strip():
        raise NotRetryable("The file is empty. Upload a table with a header or a row.")


def _refuse_long_lines(file: Path, ctx: JobContext) -> None:
    """Here, and not in the engine: its sniffer would read on for a line's end, however far that is."""
    start = position = 0
    with file.open("rb") as opened:
        while block := opened.read(BLOCK_BYTES):
            stop_if_cancelled(ctx)
            ends = [end for end in (block.find(b"\n"), block.find(b"\r")) if end >= 0]
            if position + min(ends, default=len(block)) - start > MAX_LINE_BYTES:
                raise NotRetryable(
                    f"The line that starts at byte {start:,} is longer than {MAX_LINE_BYTES:,} bytes. Shorten it, or "
                    "check that the file is a table with a row on each line."
                )
            if ends:
                start = position + max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
            position += len(block)
