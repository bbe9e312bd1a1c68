import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.notifications.providers.redaction import REDACTED, redacted

KEY = "f00dcafef00dcafef00dcafe"


@pytest.mark.parametrize(
    "text",
    [
        "no such recipient: reader@example.com",
        '{"errors": ["<reader@example.com> refused"]}',
        "reader%40example.com",
        "reader&#64;example.com",
        r"reader\u0040example.com",
        "Somebody <READER@EXAMPLE.COM>,other@example.org",
    ],
)
def test_addresses_are_masked_in_whatever_form(text):
    assert "eader" not in redacted(text, 500).lower()


@pytest.mark.parametrize("text", [f"bad token {KEY}", f"Bearer {KEY}", f"Authorization: bearer {KEY}x", KEY * 3])
def test_keys_are_taken_out(text):
    kept = redacted(text, 500, [KEY])
    assert KEY not in kept
    assert REDACTED in kept


def test_a_credential_that_is_not_ours_is_taken_out_too():
    assert "abcdef" not in redacted("you sent Bearer abcdef.ghi", 500)


@given(st.text(), st.integers(1, 50))
def test_what_is_kept_is_bounded_printable_and_storable(text, limit):
    kept = redacted(text, limit)
    assert len(kept) <= limit
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in kept)
    kept.encode()


@given(prefix=st.text(max_size=60), suffix=st.text(max_size=60), limit=st.integers(1, 80))
def test_no_part_of_a_key_is_left_at_the_cut(prefix, suffix, limit):
    kept = redacted(f"{prefix} {KEY} {suffix}", limit, [KEY])
    assert KEY[:6] not in kept


def test_a_long_hostile_text_takes_no_time():
    assert len(redacted("a" * 16_384 + "@" * 16_384, 512)) <= 512
