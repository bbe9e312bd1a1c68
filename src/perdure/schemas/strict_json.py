"""The one strict decoder: JSON that PostgreSQL or JavaScript could not keep exactly is refused at the edge.

FastAPI and pydantic alone accept duplicate keys, NaN, NUL and lone surrogates, UTF-16 and a byte order mark; some of
these are then refused by PostgreSQL, others silently changed. So: UTF-8 only; no NaN or Infinity; numbers within a
finite double, integers within 2^53 - 1 (RFC 8259, section 6); no duplicate keys; no NUL, no lone surrogate; at most
32 levels. Messages say where (``payload.items[3]``) and what, never the value.

A body without flaw, which is nearly every one, is read once, by a parser in Rust, and what that lets pass is looked for
in the value (measured: 0.8 ms instead of 4.5 for 94 kB, and a third less for a small job). Where that does not tell,
one of the standard library's that knows more reads it: bodies with a backslash, and refused ones, to find the place.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import orjson

from perdure.errors import MalformedJSON

MAX_DEPTH = 32
"""A scalar has depth 0, ``[]`` depth 1."""
MAX_SAFE_INTEGER = 2**53 - 1
_MAX_INTEGER_DIGITS = 17
_MAX_PATH_LENGTH = 100

JsonValue = Any
"""None, bool, int, float, str, list or dict with string keys, all the way down."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}", re.ASCII)
"""Keys that a message may show."""
_TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels; send flatter data"
_HALF_CHARACTER = "a NUL character or half a surrogate pair, which cannot be kept; leave it out"

Number = TypeVar("Number")


_NOT_TOLD = object()
"""In the place of a value of which more must be known."""


def decode(body: bytes) -> JsonValue:
    """The value that ``body`` stands for; raises ``MalformedJSON`` unless it can be kept exactly."""
    value = _soon_decoded(body)
    return decode_slowly(body) if value is _NOT_TOLD else value


def _soon_decoded(body: bytes) -> JsonValue:
    """The value, if it is certainly one that can be kept.

    Without a backslash each string has two quotes, and there is neither NUL nor a surrogate. A key that stands twice
    is a string less in the value than in the text.
    """
    if b"\\" in body:
        return _NOT_TOLD
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _NOT_TOLD
    return value if 2 * _strings_of(value) == body.count(b'"') else _NOT_TOLD


_LONG_NUMBER = re.compile(rb"[0-9]{16}")
"""In no number that is shorter can there be more than 2^53."""
_SHORTEST_TOO_DEEP = 2 * MAX_DEPTH  # a bracket for each level, and one to close it
_BETWEEN = b",\n"


def soon_decoded_members(texts: Sequence[bytes]) -> tuple[list[JsonValue], list[bytes]] | None:
    """The values of as many members, if each is certainly one that can be kept, and the values as we write them.

    A text that is what we would write of its value, or that with a space behind colons and commas, as Python has it, is
    JSON by itself, and has no key twice. (Measured: 0.3 us for the least object, which to look into takes 0.8.)
    """
    joined = _BETWEEN.join(texts)
    is_perhaps_deep = max(map(len, texts)) >= _SHORTEST_TOO_DEEP and any(map(_is_perhaps_deep, texts))
    if is_perhaps_deep or b"\\" in joined or _LONG_NUMBER.search(joined):
        return None
    try:
        values = orjson.loads(b"[%s]" % joined)
        written = list(map(orjson.dumps, values))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    if written == texts or written == joined.replace(b": ", b":").replace(b", ", b",").split(_BETWEEN):
        return values, written
    return None


def soon_decoded_member(text: bytes) -> tuple[JsonValue, bytes] | None:
    """The same for one, also where it is written otherwise than we would."""
    if b"\\" in text:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return (value, orjson.dumps(value)) if 2 * _strings_of(value, MAX_DEPTH - 1) == text.count(b'"') else None


def _is_perhaps_deep(text: bytes) -> bool:
    return text.count(b"{") + text.count(b"[") >= MAX_DEPTH


def _strings_of(value: JsonValue, max_depth: int = MAX_DEPTH) -> int:
    """How many strings there are in ``value``, keys too; -1 where a number, or its depth, is to be looked at again."""
    strings = 0
    level = [value]
    for _ in range(max_depth):
        below: list[Any] = []
        for one in level:
            kind = type(one)
            if kind is str:
                strings += 1
            elif kind is dict:
                strings += len(one)
                below += one.values()
            elif kind is list:
                below += one
            elif (kind is int or kind is float) and not -MAX_SAFE_INTEGER <= one <= MAX_SAFE_INTEGER:
                return -1
        if not below:
            return strings
        level = below
    return -1


def decode_slowly(body: bytes) -> JsonValue:
    """``decode`` by itself: it says where a flaw stands."""
    text = _text(body)
    try:
        value = _parsed(_STRICT, text)
    except _Flaw:
        value = _parsed(_FORGIVING, text)
        _refuse(value)
    # Only an escape can bring NUL or a lone surrogate in: raw ones are refused by the parser and by UTF-8.
    if "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH:
        _refuse(value)
    return value


def _parsed(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")
        raise MalformedJSON(f"The body is not JSON: {what} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise MalformedJSON(f"The body {_TOO_DEEP}.") from None


def _text(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"The body is not UTF-8 (byte {error.start}). Send JSON in UTF-8.") from None
    if text.startswith("\ufeff"):
        raise MalformedJSON("The body begins with a byte order mark. Send it without one.")
    if not text:
        raise MalformedJSON("The body is empty. Send a JSON value.")
    return text


class _Flaw(Exception):
    """What is wrong with a value: raised by the strict decoder, left in the value's place by the forgiving one."""


class _Members(list[tuple[str, Any]]):
    """An object as it was written, repeated keys and all."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Flaw
    return made


def _constant(name: str) -> NoReturn:
    raise _Flaw(f"is {name}, which is no JSON number; send null or a string")


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _Flaw("is a number too large for a double; send it as a string")
    return number


def _integer(digits: str) -> int:
    if len(digits) <= _MAX_INTEGER_DIGITS:
        number = int(digits)
        if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
            return number
    raise _Flaw("is an integer beyond 2^53 - 1; send it as a string")


def _in_place(read: Callable[[str], Number]) -> Callable[[str], Number | _Flaw]:
    def hook(digits: str) -> Number | _Flaw:
        try:
            return read(digits)
        except _Flaw as flaw:
            return flaw

    return hook


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_integer)
_FORGIVING = json.JSONDecoder(
    object_pairs_hook=_Members,
    parse_constant=_in_place(_constant),
    parse_float=_in_place(_float),
    parse_int=_in_place(_integer),
)


def _refuse(value: Any) -> None:
    """Raises if there is a flaw anywhere in ``value``, and says where the first one stands."""
    found = _first_flaw(value, 0)
    if found is not None:
        what, steps = found
        raise MalformedJSON(f"{_path(steps) or 'The body'} {what}.")


Found = tuple[str, list[int | str]]
"""What is wrong, and the steps that lead there, the innermost first."""


def _first_flaw(value: Any, depth: int) -> Found | None:
    """Looks into ``value``, which lies ``depth`` levels down. Never goes deeper than ``MAX_DEPTH``."""
    if depth >= MAX_DEPTH and isinstance(value, (dict, list)):
        return _TOO_DEEP, []
    if isinstance(value, (dict, _Members)):
        return _first_flaw_in_object(value, depth)
    if isinstance(value, list):
        return _first_flaw_in_array(value, depth)
    if isinstance(value, _Flaw):
        return str(value), []
    if isinstance(value, str) and _UNSTORABLE.search(value):
        return f"holds {_HALF_CHARACTER}", []
    return None


def _first_flaw_in_array(value: list[Any], depth: int) -> Found | None:
    for index, item in enumerate(value):
        if found := _first_flaw(item, depth + 1):
            found[1].append(index)
            return found
    return None


def _first_flaw_in_object(value: dict[str, Any] | _Members, depth: int) -> Found | None:
    seen: set[str] = set()
    for key, member in value.items() if isinstance(value, dict) else value:
        if _UNSTORABLE.search(key):
            return f"has a key with {_HALF_CHARACTER}", []
        if key in seen:
            return "stands twice in the same object; send it once", [key]
        seen.add(key)
        if found := _first_flaw(member, depth + 1):
            found[1].append(key)
            return found
    return None


def _path(steps: list[int | str]) -> str:
    """``payload.items[3]``. A key that is no plain name may be anything, an address too, and is not shown."""
    path = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" if PLAIN_KEY.fullmatch(step) else "[?]"
        for step in reversed(steps)
    ).removeprefix(".")
    return path if len(path) <= _MAX_PATH_LENGTH else f"…{path[-_MAX_PATH_LENGTH:]}"
