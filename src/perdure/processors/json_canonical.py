"""The canonical form of JSON (RFC 8785, "JCS"): one text for all the ways to write the same data.

Written in one pass over the text, with no tree of values in between, which would take tens of times the text: what an
array holds goes out as it comes, and the members of an object wait, already canonical, until all its keys are known.
Short arrays and objects are made canonical at once (``json_block``), for speed alone.

Refused, as the RFC asks by way of I-JSON (RFC 7493): keys that stand twice, half a surrogate pair, what is not UTF-8,
NaN and Infinity, numbers beyond a double. Of integers also those that a double would change, since two different ones
would become the same text; fractions are rounded, as the RFC's own example is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from perdure.processors.json_block import Blocks
from perdure.processors.json_scalar import Flaw, number_text, quoted, string_text, string_value

MAX_DEPTH = 1_000
"""A scalar has depth 0, ``[]`` depth 1."""
PIECE_BYTES = 262_144
"""About how much is read and written between two looks at whether to go on."""

_TOKEN = re.compile(
    rb"[ \t\n\r]*+(?:"
    rb'("[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+")|'
    rb"(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)|"
    rb"(true|false|null)|([\[\]{},:])|(\Z))"
)
_STRING, _NUMBER, _WORD, _MARK, _END = range(1, 6)
_SPACE = re.compile(rb"[ \t\n\r]*")
_NO_NUMBER = re.compile(rb"[-+]?(?:NaN|Infinity)")

Step = Callable[[int, bytes], Any]
"""What is done with the next token, given its kind and text; it returns the ``Step`` after it, at the end ``None``."""


class _Object:
    """An object that is not closed yet: its values, canonical already, by their keys.

    The keys are kept in UTF-16, by whose code units they are sorted: another order than that of code points where some
    characters need two units.
    """

    __slots__ = ("key", "outer", "values")

    def __init__(self, outer: bytearray) -> None:
        self.outer = outer
        self.values: dict[bytes, bytes] = {}
        self.key = b""


def canonicalize(
    text: bytes, write: Callable[[bytes], object], check: Callable[[int], None] = lambda _: None, *, start: int = 0
) -> None:
    """Writes the canonical form of the one value in ``text``, from byte ``start`` on, piece by piece.

    ``check`` is called now and then with the byte that was reached, and may raise to end the work. Raises ``Flaw``
    where there is no such form; what is written by then is worth nothing.
    """
    document = _Document(text, start)
    step: Step | None = document.value
    pause = start + PIECE_BYTES
    while step is not None:
        token = _TOKEN.match(text, document.position)
        if token is None:
            raise _unreadable(text, document.position)
        kind = token.lastindex or _END
        document.position = token.end()
        try:
            step = step(kind, token[kind])
        except Flaw as flaw:
            flaw.position = token.start(kind)
            raise
        if document.position > pause:
            check(document.position)
            write(document.taken())
            pause = document.position + PIECE_BYTES
    write(document.taken())


class _Document:
    """The canonical text as it grows, and the containers that are open. Each public method is a ``Step``.

    ``position`` is the byte after the token of the step.
    """

    def __init__(self, text: bytes, position: int) -> None:
        self.position = position
        self._blocks = Blocks(text)
        self._root = self._out = bytearray()
        self._open: list[_Object | None] = []  # None stands for an array

    def taken(self) -> bytes:
        """What can be written for good, since no open object holds it; it is forgotten here."""
        piece = bytes(self._root)
        self._root.clear()
        return piece

    def value(self, kind: int, token: bytes) -> Step:
        if kind == _MARK:
            return self._opened(token)
        if kind == _STRING:
            self._out += string_text(token)
        elif kind == _NUMBER:
            self._out += number_text(token)
        elif kind == _WORD:
            self._out += token
        else:
            raise Flaw("the text ends where a value is expected")
        return self._next()

    def first_value(self, kind: int, token: bytes) -> Step:
        return self._closed() if token == b"]" else self.value(kind, token)

    def first_key(self, kind: int, token: bytes) -> Step:
        return self._closed() if token == b"}" else self.key(kind, token)

    def key(self, kind: int, token: bytes) -> Step:
        container = self._open[-1]
        if kind != _STRING or container is None:
            raise Flaw("a key in double quotes is expected")
        container.key = string_value(token).encode("utf-16-be")
        if container.key in container.values:
            raise Flaw("a key stands twice in the same object")
        self._out = bytearray()
        return self.colon

    def colon(self, _: int, token: bytes) -> Step:
        if token != b":":
            raise Flaw("a colon is expected")
        return self.value

    def after(self, _: int, token: bytes) -> Step:
        container = self._open[-1]
        if container is None:
            if token == b",":
                self._out += b","
                return self.value
            if token == b"]":
                return self._closed()
            raise Flaw("a comma or ] is expected")
        if token not in {b",", b"}"}:
            raise Flaw("a comma or } is expected")
        container.values[container.key] = bytes(self._out)
        return self.key if token == b"," else self._closed()

    def end(self, kind: int, _: bytes) -> None:
        if kind != _END:
            raise Flaw("something follows after the end of the value")

    def _opened(self, token: bytes) -> Step:
        if token in b"[{" and (block := self._blocks.canonical(self.position - 1)):
            canonical, end = block
            if len(self._open) + canonical.count(b"[") + canonical.count(b"{") <= MAX_DEPTH:
                self._out += canonical
                self.position = end
                return self._next()
        if len(self._open) == MAX_DEPTH:
            raise Flaw(f"arrays and objects are nested deeper than {MAX_DEPTH:,} levels")
        if token == b"[":
            self._open.append(None)
            self._out += b"["
            return self.first_value
        if token == b"{":
            self._open.append(_Object(self._out))
            return self.first_key
        raise Flaw("a value is expected")

    def _closed(self) -> Step:
        container = self._open.pop()
        if container is None:
            self._out += b"]"
        else:
            self._out = container.outer
            self._out += b"{"
            for index, key in enumerate(sorted(container.values)):
                self._out += b"," if index else b""
                self._out += quoted(key.decode("utf-16-be"))
                self._out += b":"
                self._out += container.values[key]
            self._out += b"}"
        return self._next()

    def _next(self) -> Step:
        return self.after if self._open else self.end


def _unreadable(text: bytes, position: int) -> Flaw:
    found = _SPACE.match(text, position)
    start = found.end() if found else position
    if text.startswith(b'"', start):
        return Flaw("a string does not end, or holds a line break or another control character", start)
    if _NO_NUMBER.match(text, start):
        return Flaw("NaN and Infinity are no JSON numbers; take null or a string", start)
    return Flaw("this is no JSON", start)
