"""The cutters find the records wherever the pieces end, and whatever is wrong with one stays with it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.errors import BodyTooLarge, MalformedJSON
from perdure.schemas.json_stream import Elements, Lines

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=9)


def pieces(body, sizes):
    found = []
    while body:
        size = sizes[len(found) % len(sizes)]
        found.append(body[:size])
        body = body[size:]
    return found


def cut(cutter, *stream):
    records = [record for piece in stream for record in cutter.feed(piece)]
    return [told(record) for record in records + cutter.end()]


def told(record):
    return record.strip() if isinstance(record, bytes) else type(record)


@given(st.lists(VALUES, max_size=4), SIZES, st.sampled_from([None, 1]), st.booleans())
@settings(max_examples=40)
def test_an_array_is_cut_into_its_elements(values, sizes, indent, ascii_only):
    body = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()
    assert [json.loads(one) for one in cut(Elements(10_000), *pieces(body, sizes))] == values


@given(st.lists(VALUES, max_size=4), SIZES, st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]))
@settings(max_examples=40)
def test_lines_are_cut_at_their_ends(values, sizes, end):
    body = end.join(json.dumps(one, ensure_ascii=False) for one in values).encode()
    assert [json.loads(one) for one in cut(Lines(10_000), *pieces(body, sizes))] == values


@given(st.binary(max_size=40), SIZES)
def test_where_the_pieces_end_makes_no_difference(rest, sizes):
    for cutter, body in [(Lines, rest), (Elements, b"[" + rest)]:
        assert cut(cutter(12), *pieces(body, sizes)) == cut(cutter(12), body)


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (b"[]", []),
        (b" [ ] ", []),
        (b"[1,2]", [b"1", b"2"]),
        (b"[1,]", [b"1", b""]),
        (b"[,1]", [b"", b"1"]),
        (b'[{"a": [1, 2]}, "],"]', [b'{"a": [1, 2]}', b'"],"']),
        (b'["\\"", "\\\\", 3]', [b'"\\""', b'"\\\\"', b"3"]),
        (b'[{"a": ], 2]', [b'{"a": ]', b"2"]),
        (b"[1} , 2]", [b"1}", b"2"]),
        (b"[1 2]", [b"1 2"]),
        (b'["0123456789012345", 2]', [BodyTooLarge, b"2"]),
        (b"[1, 2", [b"1", MalformedJSON]),
        (b'[1, "2]', [b"1", MalformedJSON]),
        (b"[1] [2]", [b"1", MalformedJSON]),
        (b"[1]]]", [b"1", MalformedJSON]),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_is_wrong_in_an_array_stays_where_it_is(body, records, size):
    assert cut(Elements(16), *pieces(body, [size])) == records


@pytest.mark.parametrize("body", [b"", b"  ", b'{"a": 1}', b"\xef\xbb\xbf[1]", b"1\n2\n"])
def test_a_body_that_is_no_array_is_refused_as_a_whole(body):
    with pytest.raises(MalformedJSON):
        cut(Elements(100), body)


def test_a_line_that_is_too_long_is_passed_over_and_not_kept():
    cutter = Lines(10)
    for _ in range(100):
        assert cutter.feed(b"x" * 10) == []
        assert len(cutter._text._kept) <= 10
    assert cut(cutter, b"\n1\n") == [BodyTooLarge, b"1"]
