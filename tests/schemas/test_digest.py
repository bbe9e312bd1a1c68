"""Digest fields, as RFC 9530 writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.schemas.digest import read_digest, write_digest

HELLO = "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="
IN_HEX = "5f8f04f6a3a892aaabbddb6cf273894493773960d4a325b105fee46eef4304f1"


@given(st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(digest):
    assert read_digest(write_digest(digest.hex())) == digest.hex()


def test_the_rfcs_example_is_read_among_others():
    for field in (f"sha-256=:{HELLO}:", f"md5=:AAAA:, sha-256=:{HELLO}:", f"sha-256=:{HELLO}:;q=1,sha-512=:AA==:"):
        assert read_digest(field) == IN_HEX
    assert write_digest(IN_HEX) == f"sha-256=:{HELLO}:"


@pytest.mark.parametrize("field", ["", "sha-512=:AA==:", "md5=:AAAA:", "not-sha-256=:AA==:"])
def test_other_algorithms_say_nothing(field):
    assert read_digest(field) is None


@pytest.mark.parametrize("field", ["sha-256", "sha-256=", "sha-256=:AAAA:", f"sha-256={HELLO}", "sha-256=:***:"])
def test_what_is_malformed_is_not_passed_over(field):
    with pytest.raises(ValueError, match="base64"):
        read_digest(field)
