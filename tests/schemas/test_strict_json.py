import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.errors import MalformedJSON
from perdure.schemas.strict_json import MAX_DEPTH, MAX_SAFE_INTEGER, decode, decode_slowly


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is empty"),
        (b" ", "not JSON: Expecting value at line 1, column 2."),
        (b"{", "line 1, column 2."),
        (b"nul", "not JSON"),
        (b'{"a":1} x', "Extra data at line 1, column 9."),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": [1,\n 2,,]}', "line 2, column 4."),
        (b'"canary', "Unterminated string starting at line 1, column 1."),
        (b'"\x00"', "Invalid control character at line 1, column 2."),
        (b'[NaN, "canary', "not JSON: Unterminated string"),
        (b"[NaN" + b"[" * 100_000, "not JSON"),
        (b'"canary\\u0000"', "The body holds a NUL character"),
        (b'{"payload": [{"canary\\u0000": 1}]}', "payload[0] has a key with a NUL"),
        (b'"\\ud800canary"', "half a surrogate pair"),
        (b'"\\udc00"', "half a surrogate pair"),
        (b'["\\ud800\\ud800"]', "[0] holds"),
        (b'{"a": {"\\udfff": 1}}', "a has a key"),
        (b"NaN", "The body is NaN"),
        (b'{"payload": {"items": [1, 2, 3, NaN]}}', "payload.items[3] is NaN"),
        (b"[Infinity]", "[0] is Infinity"),
        (b"-Infinity", "The body is -Infinity"),
        (b"1e400", "too large for a double"),
        (b"-1e999", "too large for a double"),
        (b'{"a":{"b":9007199254740992}}', "a.b is an integer beyond 2^53 - 1; send it as a string."),
        (b"-9007199254740992", "beyond 2^53 - 1"),
        (b"1" * 4_301, "beyond 2^53 - 1"),
        (b"1" * 100_000, "beyond 2^53 - 1"),
        (b'{"a@canary.example": NaN}', "[?] is NaN"),
        (b'{"key": "canary", "key": "canary"}', "key stands twice"),
        (b'[{"a": {"b": 1, "b": {"c": NaN}}}]', "[0].a.b stands twice"),
        (nested(MAX_DEPTH + 1), "[0][0] is nested deeper than 32 levels"),
        (nested(200), "deeper than 32 levels"),
        (nested(100_000), "The body is nested deeper than 32 levels"),
        (b'{"a":' * 100_000, "deeper than 32 levels"),
        (b'{"a":' * 40 + b"NaN" + b"}" * 40, "a.a is nested deeper"),
        (b'{"%s":' % (b"k" * 40) * 30 + b"NaN" + b"}" * 30, "kkk is NaN"),
        (b"\xff", "not UTF-8 (byte 0)"),
        (b'"\xed\xa0\x80"', "not UTF-8 (byte 1)"),
        ('"canary"'.encode("utf-16"), "not UTF-8"),
        ('"canary"'.encode("utf-16-le"), "not JSON"),
        (b'\xef\xbb\xbf"canary"', "byte order mark"),
        (b"\x80" * 1_000_000, "not UTF-8"),
    ],
    ids=range(42),
)
def test_what_cannot_be_kept_is_refused_where_it_stands_without_being_shown(body, said):
    with pytest.raises(MalformedJSON) as caught:
        decode(body)
    assert said in caught.value.detail
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


@settings(deadline=None)
@given(values, st.booleans())
def test_whatever_lies_within_the_limits_comes_back(value, ascii_only):
    assert decode(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def spoiled(body: bytes):
    """Bodies that are nearly JSON: a piece of a good one put in the place of a byte, or a byte lost."""
    pieces = st.sampled_from([b"", b"NaN", b"\\u0000", b"\\ud800", b"1e999", b"[", b'"a":', b",", b"9" * 20, b"\x00"])
    places = st.integers(0, len(body))
    return st.builds(lambda place, piece: body[:place] + piece + body[place + 1 :], places, pieces)


bodies = values.map(lambda value: json.dumps(value, ensure_ascii=False).encode())


@settings(deadline=None)
@given(st.binary() | bodies | bodies.flatmap(spoiled))
def test_any_bytes_are_decoded_rightly_or_refused(body):
    try:
        value = decode(body)
    except MalformedJSON:
        return
    assert value == json.loads(body)
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()  # neither NaN nor half a character came through
    assert "\\u0000" not in json.dumps(value).replace("\\\\", "")


def written(value) -> str:
    """A value as JSON that may have what strict JSON has not: keys that stand twice, in the order that is given."""
    match value:
        case tuple():
            return "{" + ", ".join(f"{json.dumps(key)} : {written(member)}" for key, member in value) + "}"
        case list():
            return "[" + ",".join(map(written, value)) + "]"
        case _:
            return value


scalars = st.sampled_from(
    ["0", "-0", "-0.0", "1.0", "1E2", "1e308", "1e309", "-1e-400", "NaN", "-Infinity", "true", "null", "01", "+1", ".5"]
) | st.integers(-(2**70), 2**70).map(str)
strings = st.sampled_from(
    ['""', '":"', '"\\""', '"\\\\"', '"\\u0000"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\x7f"', '"\t"', '"[{"']
)
odd = st.recursive(
    scalars | strings,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(st.tuples(st.sampled_from(["", "a", "b", ":", '"', "é"]), inner), max_size=4).map(tuple)
    ),
    max_leaves=30,
)
odd_bodies = st.builds(
    lambda value, depth: "[" * depth + written(value) + "]" * depth, odd, st.sampled_from([0, 0, 1, 29, 31, 32, 33])
)


def outcome(decoder, body: bytes):
    """What the decoder makes of it: the value, told apart to the sign of a zero, or the words of the refusal."""
    try:
        return repr(decoder(body))
    except MalformedJSON as error:
        return error


@settings(deadline=None, max_examples=500)
@given(st.binary() | bodies | bodies.flatmap(spoiled) | odd_bodies.map(str.encode))
def test_both_ways_to_decode_agree_on_everything(body):
    soon, slowly = outcome(decode, body), outcome(decode_slowly, body)
    assert str(soon) == str(slowly)
    assert type(soon) is type(slowly)


def test_hostile_bodies_take_time_in_step_with_their_size():
    """A mebibyte of anything is done in seconds at the worst; work that grew with its square would take minutes."""
    for unit in (b"[],", b"{},", b'"\\u0061",', b"0.1111111,", b'{"a":[{}]},'):
        assert decode(b"[" + unit * (1_048_576 // len(unit)) + b"0]")[-1] == 0
    with pytest.raises(MalformedJSON, match="twice"):
        decode(b"{" + b'"a":1,' * 170_000 + b'"a":1}')


def test_large_bodies_are_taken():
    """How large one may be is decided where it is received."""
    assert len(decode(b'["' + b"x" * 10_000_000 + b'"]')[0]) == 10_000_000
    assert len(decode(json.dumps({f"key {number}": number for number in range(100_000)}).encode())) == 100_000
