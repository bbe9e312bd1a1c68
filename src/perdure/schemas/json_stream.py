"""Cuts a stream of bytes into the JSON texts of its records: the lines of NDJSON, or the elements of an array.

Nothing is decoded here, only cut, in memory for one record: so whatever is wrong with a record is a problem of that
record alone. One that is too long is passed over to its end. Blank lines are no records.
"""

from __future__ import annotations

import re
from typing import Protocol

from perdure.errors import BodyTooLarge, InvalidInput, MalformedJSON

Record = bytes | InvalidInput
"""The text of a record, or why there is none in its place."""

_OUTSIDE = re.compile(rb'"[^"\\]*"|["\[\]{},]')
_IN_STRING = re.compile(rb'["\\]')


class Cutter(Protocol):
    """Takes the stream in pieces of any size."""

    def feed(self, piece: bytes) -> list[Record]:
        """The records that end in ``piece``. Raises ``MalformedJSON`` for a body that can hold no records at all."""
        ...

    def end(self) -> list[Record]:
        """What is left when the stream has ended."""
        ...


class _Text:
    """The text of a record as it comes in, up to ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._is_too_long = False

    def add(self, part: bytes) -> None:
        if not self._is_too_long:
            self._kept += part
            if len(self._kept) > self._limit:
                self._is_too_long = True
                self._kept.clear()

    def taken(self) -> Record:
        """The whole record, blank or not; the next one may begin."""
        if self._is_too_long:
            self._is_too_long = False
            return self.too_long()
        text = bytes(self._kept)
        self._kept.clear()
        return text

    def too_long(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"The job has more than {self._limit:,} bytes. Upload large data with POST /v1/files and name it in "
            "the payload by its file_id."
        )


class Lines:
    """Cuts NDJSON (newline-delimited JSON). The last line may lack its end."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._text = _Text(limit)

    def feed(self, piece: bytes) -> list[Record]:
        first, *lines = piece.split(b"\n")
        self._text.add(first)
        if not lines:
            return []
        records = self.end()
        self._text.add(lines.pop())
        # As ``_Text`` would have it, which copies each of them, and takes 1.2 us for it.
        records += [
            line if len(line) <= self._limit else self._text.too_long()
            for line in lines
            if line and (not line.isspace() or len(line) > self._limit)
        ]
        return records

    def end(self) -> list[Record]:
        line = self._text.taken()
        return [] if _is_blank(line) else [line]


class Elements:
    """Cuts a JSON array at its own commas: those outside of strings, and of the arrays and objects inside it."""

    def __init__(self, limit: int) -> None:
        self._text = _Text(limit)
        self._depth = 0
        """How many arrays and objects are open: the array itself is the first."""
        self._is_closed = False
        self._in_string = False
        self._escaped = 0
        """1 where the last piece ended between a backslash and the character that it escapes."""
        self._count = 0

    def feed(self, piece: bytes) -> list[Record]:
        start = 0
        if self._depth == 0 and not self._is_closed:
            start = len(piece) - len(piece.lstrip(b" \t\r\n"))
            if start == len(piece):
                return []
            if not piece.startswith(b"[", start):
                raise MalformedJSON(
                    "The body is no JSON array. Send an array of jobs, or a job a line as application/x-ndjson."
                )
            self._depth = 1
            start += 1
        return self._after(piece) if self._is_closed else self._inside(piece, start)

    def end(self) -> list[Record]:
        if self._is_closed:
            return []
        if self._depth == 0:
            raise MalformedJSON("The body is empty. Send a JSON array of jobs.")
        return [MalformedJSON("The body ends before its array does. What follows the last comma was not read.")]

    def _inside(self, piece: bytes, start: int) -> list[Record]:
        records: list[Record] = []
        position = start + self._escaped
        while found := (_IN_STRING if self._in_string else _OUTSIDE).search(piece, position):
            position = found.end()
            mark = found[0]
            if mark == b"\\":
                position += 1
            elif mark == b'"':
                self._in_string = not self._in_string
            elif mark in b"[{":
                self._depth += 1
            elif mark in b"]}" and self._depth > 1:
                self._depth -= 1
            elif mark in b",]" and self._depth == 1:
                self._text.add(piece[start : found.start()])
                records += self._taken(is_last=mark == b"]")
                start = position
                if mark == b"]":
                    self._is_closed = True
                    return records + self._after(piece[start:])
        self._escaped = max(position - len(piece), 0)
        self._text.add(piece[start:])
        return records

    def _taken(self, *, is_last: bool) -> list[Record]:
        element = self._text.taken()
        if is_last and self._count == 0 and _is_blank(element):
            return []
        self._count += 1
        return [element]

    def _after(self, rest: bytes) -> list[Record]:
        if _is_blank(rest) or self._depth == 0:
            return []
        self._depth = 0  # one remark will do
        return [MalformedJSON("Something follows after the end of the array. It was not read.")]


def _is_blank(record: Record) -> bool:
    return isinstance(record, bytes) and not record.strip()
