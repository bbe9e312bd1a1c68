"""Short arrays and objects in canonical form, by Python's own reader and writer, which take a tenth of the time.

Nothing is decided here: what is long, unusual or wrong is left to ``json_canonical``, which also knows where it stands.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from perdure.processors.json_scalar import MAX_EXACT_DIGITS

BLOCK_BYTES = 65_536
"""Longer ones are left: no large tree of values is ever made."""

_BYTES = "surrogateescape"  # keeps what is not UTF-8 for the writer to refuse


class _Unusual(Exception):
    """Something that Python writes in another way, or that has no canonical form."""


class Blocks:
    """The short arrays and objects of one text, asked for in its order."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._window = ""
        self._byte = self._index = 0  # the same place, in the text and in the window
        self._end = 0

    def canonical(self, start: int) -> tuple[bytes, int] | None:
        """The canonical form of the array or object at byte ``start``, and where it ends. None: walk through it."""
        if start < self._end:
            self._index += len(self._text[self._byte : start].decode(errors=_BYTES))
            self._byte = start
            if block := self._read():
                return block
        self._end = start + BLOCK_BYTES
        self._window = self._text[start : self._end].decode(errors=_BYTES)
        self._byte, self._index = start, 0
        return self._read()

    def _read(self) -> tuple[bytes, int] | None:
        try:
            value, end = _READER.raw_decode(self._window, self._index)
            canonical = _WRITER.encode(value).encode()
        except (_Unusual, ValueError, RecursionError):
            return None
        return canonical, self._byte + len(self._window[self._index : end].encode(errors=_BYTES))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Unusual
    # By UTF-16 code units, which is another order than Python's only where some characters need two.
    by = None if "".join(made).isascii() else _utf_16
    return {key: made[key] for key in sorted(made, key=by)}


def _utf_16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _integer(digits: str) -> int:
    if len(digits) > MAX_EXACT_DIGITS:
        raise _Unusual
    return int(digits)


def _float(digits: str) -> float | int:
    number = float(digits)
    if number.is_integer() and abs(number) < 10**MAX_EXACT_DIGITS:
        return int(number)
    if number.is_integer() or not math.isfinite(number) or "e" in repr(number):
        raise _Unusual
    return number


def _constant(_: str) -> NoReturn:
    raise _Unusual


_READER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
_WRITER = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))
