"""A table file as UTF-8: finds its encoding, and transcodes what is not UTF-8, in a stream, in bounded memory.

The order: what the payload says; a byte order mark; UTF-8 if every byte agrees; else Windows-1252, which is what
spreadsheets write where they do not write UTF-8 (reported, so that a wrong guess can be seen).
"""

from __future__ import annotations

import codecs
from pathlib import Path

from perdure.processors.base import NotRetryable

BLOCK_BYTES = 1_048_576
HEAD_BYTES = 65_536
FALLBACK = "windows-1252"

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def as_utf8(file: Path, encoding: str | None, scratch: Path) -> tuple[Path, str]:
    """The file itself where it is UTF-8, else a transcoded copy in ``scratch``; and the encoding's name."""
    if file.stat().st_size == 0:
        raise NotRetryable("The file is empty.")
    found = _marked(file) or _given(encoding)
    if found is None:
        found = "utf-8" if _is_utf8(file) else FALLBACK
    elif found == "utf-8" and not _is_utf8(file):
        raise NotRetryable("The file is not UTF-8 all through. Name its encoding, or leave it out to have it detected.")
    if found == "utf-8":
        _refuse_binary(file)
        return file, found
    copy = scratch / "transcoded.csv"
    _transcode(file, copy, found, errors="replace" if encoding is None else "strict")
    _refuse_binary(copy)
    return copy, found


def _given(encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise NotRetryable("This encoding is not known. Take a name such as utf-8, windows-1252 or utf-16.") from None
    return name


def _marked(file: Path) -> str | None:
    with file.open("rb") as opened:
        head = opened.read(4)
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def _is_utf8(file: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with file.open("rb") as opened:
            while block := opened.read(BLOCK_BYTES):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _transcode(file: Path, copy: Path, encoding: str, errors: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    try:
        with file.open("rb") as source, copy.open("wb") as target:
            while block := source.read(BLOCK_BYTES):
                target.write(decoder.decode(block).encode("utf-8", "replace"))
            target.write(decoder.decode(b"", final=True).encode("utf-8", "replace"))
    except (UnicodeError, ValueError, AttributeError) as error:
        raise NotRetryable(f"The file cannot be read as {encoding} ({type(error).__name__}).") from None


def _refuse_binary(file: Path) -> None:
    with file.open("rb") as opened:
        if b"\x00" in opened.read(HEAD_BYTES):
            raise NotRetryable("The file holds NUL bytes: it is no text table. Export it as CSV and upload that.")
