"""The one strict decoder: JSON that PostgreSQL or JavaScript could not keep exactly is refused at the edge.

FastAPI and pydantic alone accept duplicate keys, NaN, NUL and lone surrogates, UTF-16 and a byte order mark; some of
these are then refused by PostgreSQL, others silently changed. So: UTF-8 only; no NaN or Infinity; numbers within a
finite double, integers within 2^53 - 1 (RFC 8259, section 6); no duplicate keys; no NUL, no lone surrogate; at most
32 levels. Messages say where and what, never the value.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from perdure.errors import MalformedJSON

MAX_DEPTH = 32
MAX_SAFE_INTEGER = 2**53 - 1
_MAX_INTEGER_DIGITS = 17

JsonValue = Any
"""None, bool, int, float, str, list or dict with string keys, all the way down."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def decode(body: bytes) -> JsonValue:
    """The value that ``body`` stands for; raises ``MalformedJSON`` unless it can be kept exactly."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"The body is not UTF-8 (byte {error.start}).") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJSON(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        _too_deep()
    # Only an escape can bring NUL or a lone surrogate in: raw ones are refused by the parser and by UTF-8.
    _check(value, 0, look_into_strings="\\u" in text)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise MalformedJSON("The body has an object with the same key twice.")
    return made


def _constant(name: str) -> NoReturn:
    raise MalformedJSON(f"The body holds {name}, which is no JSON number.")


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedJSON("The body holds a number too large for a double; send it as a string.")
    return number


def _integer(digits: str) -> int:
    if len(digits) <= _MAX_INTEGER_DIGITS:
        number = int(digits)
        if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
            return number
    raise MalformedJSON("The body holds an integer beyond 2^53 - 1; send it as a string.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_integer)


def _check(value: Any, depth: int, *, look_into_strings: bool) -> None:
    """Walks the value: its depth, and, where an escape may hide something, its strings. Bounded by ``MAX_DEPTH``."""
    if isinstance(value, str):
        if look_into_strings:
            _check_text(value)
    elif isinstance(value, dict):
        _check_depth(depth)
        for key, member in value.items():
            if look_into_strings:
                _check_text(key)
            _check(member, depth + 1, look_into_strings=look_into_strings)
    elif isinstance(value, list):
        _check_depth(depth)
        for member in value:
            _check(member, depth + 1, look_into_strings=look_into_strings)


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        _too_deep()


def _too_deep() -> NoReturn:
    raise MalformedJSON(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _check_text(text: str) -> None:
    if _UNSTORABLE.search(text):
        raise MalformedJSON("The body holds a NUL character or half a surrogate pair, which cannot be kept.")
