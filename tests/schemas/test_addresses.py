import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.schemas.addresses import check_address, mask


@pytest.mark.parametrize(
    "address",
    [
        "a@b.co",
        "ADA.Lovelace+jobs@Example.COM",
        "a@localhost",
        "a@host.test",
        "a@host.local",
        "a@host.invalid",
        "a@example",
        "a@пример.рф",
        "o'hara_x-y@sub.domain.example.com",
    ],
)
def test_bare_addresses_are_kept_as_they_are(address):
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "string",
        "",
        "@",
        "a@",
        "@b.co",
        "Ada <ada@b.co>",
        "<ada@b.co>",
        " a@b.co",
        "a@b.co ",
        "a@b.co\n",
        "a@b.co\r\nBcc: x@y.zz",
        "a@b.co,c@d.co",
        "a@b.co;c@d.co",
        "a b@c.co",
        '"quoted"@b.co',
        "a@[127.0.0.1]",
        "a@b..co",
        "a@-b.co",
        "a@b_c.co",
        "a..b@c.co",
        "a@b.co.",
        "пример@b.co",
        "x" * 65 + "@b.co",
        "a@" + "b" * 64 + ".co",
        "a@b\x00.co",
        "a\u2028@b.co",
    ],
)
def test_what_is_no_bare_address_is_refused_and_not_quoted(address):
    with pytest.raises(ValueError, match="bare e-mail address") as caught:
        check_address(address)
    assert len(address) < 3 or address not in str(caught.value)


@given(st.text(max_size=40) | st.emails())
def test_an_address_is_never_changed_and_never_holds_what_headers_must_not(text):
    try:
        found = check_address(text)
    except ValueError:
        return
    assert found == text
    assert not set(text) & set('\r\n\x00 ,;<>\u2028\u2029"')


@pytest.mark.parametrize(
    ("address", "masked"),
    [("ada@example.com", "a***@e***.com"), ("ada@localhost", "a***@l***"), ("x@mail.example.org", "x***@m***.org")],
)
def test_masks(address, masked):
    assert mask(address) == masked


@given(st.emails())
def test_a_mask_shows_no_more_than_first_letters_and_the_last_label(address):
    masked = mask(address)
    local, _, domain = address.rpartition("@")
    assert masked.startswith(f"{local[0]}***@{domain[0]}***")
    assert len(masked) <= 10 + len(domain.rpartition(".")[2])
