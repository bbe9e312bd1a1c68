"""``json.canonicalize``: JSON in its canonical form (RFC 8785), to be hashed, signed or compared.

A file is one document, of at most 64 MiB, or has a document on each line, of any number: these are read one by one.
"""

from __future__ import annotations

import codecs
import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from perdure.processors.base import FileId, JobContext, NotRetryable, processor
from perdure.processors.json_canonical import PIECE_BYTES, canonicalize
from perdure.processors.json_scalar import Flaw
from perdure.processors.stopping import stop_if_cancelled

MAX_DOCUMENT_BYTES = 67_108_864


class CanonicalizeRequest(BaseModel):
    """JSON to bring into its canonical form: one document, or one on each line (NDJSON, JSON Lines)."""

    model_config = ConfigDict(extra="forbid")

    file: FileId = Field(min_length=1, max_length=100, description="the id of an uploaded file (POST /v1/files)")
    lines: bool | None = Field(
        None, description="a document on each line; left out: if the first line is one and more lines follow"
    )


class CanonicalizeResult(BaseModel):
    file: FileId = Field(description="the id of the new file; with lines, each document ends in a line feed")
    documents: int
    size_bytes: int
    sha256: str = Field(description="of the new file, in hex")


@processor("json.canonicalize")
def canonicalize_json(payload: CanonicalizeRequest, ctx: JobContext) -> CanonicalizeResult:
    """Brings JSON into its canonical form (RFC 8785): one document, or one on each line."""
    ctx.progress(0, "reading")
    with tempfile.TemporaryDirectory(prefix="perdure-json-") as directory, ctx.open_input(payload.file) as source:
        size_bytes = source.seek(0, os.SEEK_END)
        lines = _has_lines(source) if payload.lines is None else payload.lines
        source.seek(0)
        target = Path(directory) / "canonical"
        with target.open("wb") as file:
            output = _Output(file, ctx, size_bytes)
            documents = _lines(source, output) if lines else _document(source, output)
        name, kind = ("canonical.ndjson", "application/x-ndjson") if lines else ("canonical.json", "application/json")
        saved = ctx.save_output(name, target, content_type=kind)
    ctx.progress(100, "done")
    return CanonicalizeResult(
        file=saved, documents=documents, size_bytes=output.size_bytes, sha256=output.digest.hexdigest()
    )


class _Output:
    """The new file as it grows, and the moments to tell how far it is or to end the work."""

    def __init__(self, file: BinaryIO, ctx: JobContext, input_bytes: int) -> None:
        self._file = file
        self._ctx = ctx
        self._input_bytes = input_bytes
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self.digest.update(piece)
        self.size_bytes += len(piece)

    def check(self, position: int) -> None:
        stop_if_cancelled(self._ctx)
        self._ctx.progress(100.0 * position / self._input_bytes, "reading")


def _document(source: BinaryIO, output: _Output) -> int:
    text = source.read(MAX_DOCUMENT_BYTES + 1)
    if len(text) > MAX_DOCUMENT_BYTES:
        raise NotRetryable(
            f"The document is larger than {MAX_DOCUMENT_BYTES:,} bytes. Split it; if each line is a document, send "
            "lines: true."
        )
    _append(text, output, 1, 0)
    return 1


def _lines(source: BinaryIO, output: _Output) -> int:
    documents = position = checked = 0
    for number, line in enumerate(_read_lines(source), 1):
        if line.strip():
            _append(line.rstrip(b"\r\n"), output, number, position)
            output.write(b"\n")
            documents += 1
        position += len(line)
        if position > checked + PIECE_BYTES:
            output.check(position)
            checked = position
    return documents


def _append(text: bytes, output: _Output, line: int, position: int) -> None:
    """Writes the canonical form of ``text``, which begins on the given line and byte of the file."""
    start = len(codecs.BOM_UTF8) if line == 1 and text.startswith(codecs.BOM_UTF8) else 0
    try:
        canonicalize(text, output.write, lambda reached: output.check(position + reached), start=start)
    except Flaw as flaw:
        before = text[start : flaw.position]
        line += before.count(b"\n")
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        raise NotRetryable(f"There is no canonical form: {flaw} (line {line:,}, column {column:,}).") from None


def _read_lines(source: BinaryIO) -> Iterator[bytes]:
    for number in itertools.count(1):
        line = source.readline(MAX_DOCUMENT_BYTES + 1)
        if not line:
            return
        if len(line) > MAX_DOCUMENT_BYTES:
            raise NotRetryable(f"Line {number:,} is longer than {MAX_DOCUMENT_BYTES:,} bytes. Split it.")
        yield line


def _has_lines(source: BinaryIO) -> bool:
    """Whether the first line is a whole document and others follow: then the file is no single document."""
    source.seek(0)
    filled = (line for line in iter(lambda: source.readline(MAX_DOCUMENT_BYTES), b"") if line.strip())
    first, second = next(filled, b""), next(filled, b"")
    if not second:
        return False
    try:
        canonicalize(first.removeprefix(codecs.BOM_UTF8), lambda _: None)
    except Flaw:
        return False
    return True
