import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.processors import json_block
from perdure.processors.json_canonical import MAX_DEPTH, canonicalize
from perdure.processors.json_scalar import Flaw, ecmascript_text


def canonical(text: str | bytes) -> bytes:
    pieces = []
    canonicalize(text if isinstance(text, bytes) else text.encode(), pieces.append)
    return b"".join(pieces)


@pytest.fixture(params=["blocks", "walk"])
def way(request, monkeypatch):
    """Each test holds for both ways: short values at once, and the walk through long ones."""
    if request.param == "walk":
        monkeypatch.setattr(json_block.Blocks, "canonical", lambda self, start: None)


def test_the_example_of_the_rfc(way):
    """RFC 8785, sections 3.2.2 and 3.2.4."""
    text = r"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    assert (
        canonical(text)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            r'"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
        ).encode()
    )


def test_keys_are_sorted_by_utf_16(way):
    """RFC 8785, section 3.2.3."""
    text = r"""{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis"}"""
    found = list(json.loads(canonical(text)))
    assert found == ["\r", "1", "\x80", "ö", "€", "\U0001f600", "\ufb33"]


BITS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}
"""RFC 8785, appendix B."""


@pytest.mark.parametrize("bits", BITS)
def test_numbers_are_written_as_by_ecmascript(bits, way):
    number = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert ecmascript_text(number) == BITS[bits]
    assert canonical(f"[{number!r}]") == canonical(f"[ {BITS[bits]} ]") == f"[{BITS[bits]}]".encode()


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_in_the_notation_of_its_size(number):
    text = ecmascript_text(number)
    assert float(text) == number
    assert ("e" in text) == (number != 0 and not 1e-6 <= abs(number) < 1e21)
    assert len(text.lstrip("-").split("e")[0].replace(".", "").strip("0")) <= 17


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('aé"\\\n\ufb33\U0001f600', max_size=3), inner),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(values, st.booleans(), st.sampled_from([None, 1]), st.integers(1, 40))
def test_every_way_to_write_a_value_has_one_form(value, escaped, indent, block_bytes):
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_block, "BLOCK_BYTES", block_bytes)  # some of it in blocks, some walked through
        form = canonical(text)
    assert form == canonical(json.dumps(value)) == canonical(form)
    assert json.loads(form, parse_int=float) == value  # as ECMAScript reads it
    assert b" " not in form or " " in str(value)


@settings(max_examples=200, deadline=None)
@given(st.text('[]{}:,"\\ud83e-+.01 \nNa\x01é', max_size=14))
def test_what_python_refuses_is_refused_and_nothing_else_changes(text):
    try:
        form = canonical(text)
    except Flaw as flaw:
        assert 0 <= flaw.position <= len(text.encode())
        return
    assert json.loads(form, parse_int=float) == json.loads(text, parse_int=float)


FLAWS = {
    '{"a":1, "\\u0061":2}': (8, "twice"),
    '{"a": "\\ud800x"}': (6, "surrogate"),
    '{"\\udc00": 1}': (1, "surrogate"),
    "[1, NaN]": (4, "NaN"),
    "[-Infinity]": (1, "NaN"),
    "[1e400]": (1, "too large"),
    "[-1e400]": (1, "too large"),
    "[9007199254740993]": (1, "exactly"),
    "[-123456789012345678901234567890]": (1, "exactly"),
    "9" * 400: (0, "too large"),
    "[01]": (2, "comma"),
    "[1,]": (3, "value"),
    '{"a":1,}': (7, "key"),
    '{"a" 1}': (5, "colon"),
    '{"a":1 2}': (7, "comma or }"),
    "[1 2]": (3, "comma or ]"),
    '["a\nb"]': (1, "control"),
    '["a\\x"]': (1, "backslash"),
    '["\\u12g4"]': (1, "backslash"),
    '["': (1, "does not end"),
    "[": (1, "ends where"),
    "": (0, "ends where"),
    " \n": (2, "ends where"),
    "{1:2}": (1, "key"),
    "[1] x": (4, "no JSON"),
    "[1] [2]": (4, "follows"),
    "'a'": (0, "no JSON"),
    "[1}": (2, "comma or ]"),
    "]": (0, "value"),
    "[" * (MAX_DEPTH + 1): (MAX_DEPTH, "deeper"),
}


@pytest.mark.parametrize("text", FLAWS, ids=lambda text: text[:20])
def test_what_has_no_form_is_refused_with_its_place(text, way):
    position, said = FLAWS[text]
    with pytest.raises(Flaw, match=said) as caught:
        canonical(text)
    assert caught.value.position == position


@pytest.mark.parametrize("text", [b'["\xff"]', b'["\xed\xa0\x80"]', b'{"\xc3": 1}', b'["\xc0\xaf"]'])
def test_what_is_not_utf_8_is_refused(text, way):
    with pytest.raises(Flaw, match="UTF-8"):
        canonical(text)


def test_as_deep_as_allowed(way):
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert canonical(deep) == deep.encode()


def test_integers_that_a_double_holds_may_be_long():
    assert canonical("[1000000000000000000000, 590295810358705700000, 590295810358705651712]") == (
        b"[1e+21,590295810358705700000,590295810358705700000]"
    )


def test_a_long_text_is_written_in_pieces_and_can_be_ended():
    text = json.dumps([{"b": "ü" * 90, "a": n / 7} for n in range(8_000)]).encode()
    pieces, reached = [], []
    canonicalize(text, pieces.append, reached.append)
    assert b"".join(pieces) == json.dumps(
        [{"a": n / 7, "b": "ü" * 90} for n in range(8_000)], ensure_ascii=False, separators=(",", ":")
    ).encode().replace(b"0.0,", b"0,").replace(b".0,", b",")
    assert len(pieces) > 3
    assert max(map(len, pieces)) < 1_000_000
    assert reached == sorted(reached)

    def stop(_):
        raise KeyError

    with pytest.raises(KeyError):
        canonicalize(text, pieces.append, stop)
