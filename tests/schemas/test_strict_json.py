import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import MalformedJSON
from perdure.schemas.strict_json import MAX_DEPTH, MAX_SAFE_INTEGER, decode

CANARY = b"canary"


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nul",
        b'{"a":1} x',
        b"{'a': 1}",
        b'"\x00"',
        b'"canary\\u0000"',
        b'{"canary\\u0000": 1}',
        b'"\\ud800canary"',
        b'"\\udc00"',
        b'["\\ud800\\ud800"]',
        b'{"a": {"\\udfff": 1}}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e400",
        b"-1e999",
        b"9007199254740992",
        b"-9007199254740992",
        b"1" * 4_301,
        b"1" * 100_000,
        b'{"canary": 1, "canary": 2}',
        b'[{"a": {"b": 1, "b": 1}}]',
        nested(MAX_DEPTH + 1),
        nested(200),
        nested(100_000),
        b'{"a":' * 100_000,
        b"\xff",
        b'"\xed\xa0\x80"',
        '"canary"'.encode("utf-16"),
        b'\xef\xbb\xbf"canary"',
        b"\x80" * 1_000_000,
    ],
    ids=range(33),
)
def test_what_cannot_be_kept_is_refused_without_being_shown(body):
    with pytest.raises(MalformedJSON) as caught:
        decode(body)
    assert "canary" not in caught.value.detail
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"0", 0),
        (b"-0", 0),
        (b"1.0", 1.0),
        (b"1e300", 1e300),
        (str(MAX_SAFE_INTEGER).encode(), MAX_SAFE_INTEGER),
        (str(-MAX_SAFE_INTEGER).encode(), -MAX_SAFE_INTEGER),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b'"\\\\u0000"', "\\u0000"),
        (b'{"a":{"a":1}}', {"a": {"a": 1}}),
        (b" [true, false, null] \n", [True, False, None]),
    ],
)
def test_what_can_be_kept_is_taken(body, value):
    assert decode(body) == value


def test_the_deepest_that_is_taken():
    value = decode(nested(MAX_DEPTH))
    for _ in range(MAX_DEPTH - 1):
        [value] = value
    assert value == []


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values, st.booleans())
def test_whatever_lies_within_the_limits_comes_back(value, ascii_only):
    assert decode(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary() | texts.map(str.encode) | values.map(lambda value: json.dumps(value)[:-1].encode()))
def test_any_bytes_are_decoded_rightly_or_refused(body):
    try:
        value = decode(body)
    except MalformedJSON:
        return
    assert value == json.loads(body)
    assert not (isinstance(value, float) and math.isnan(value))
