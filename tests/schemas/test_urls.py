import pytest
from jsonschema_rs import validator_for
from pydantic import TypeAdapter

from perdure.schemas.urls import MAX_LENGTH, Url, check_url

BY_SCHEMA = validator_for(TypeAdapter(Url).json_schema())
"""What a server goes by that knows of a job type its JSON Schema alone."""


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/hooks?key=a%20b&x=[1]",
        "HTTPS://Example.COM:8443/",
        "http://127.0.0.1:9999/",
        "https://[2001:db8::1]:443/x",
        "https://xn--bcher-kva.example/",
        "https://e.example/" + "x" * (MAX_LENGTH - 18),
    ],
)
def test_what_can_be_called_is_kept_as_it_is(url):
    assert check_url(url) == url
    assert BY_SCHEMA.is_valid(url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com/hooks", "//example.com", "/hooks", "https:", "https://", "https:///x", "https://:443/"),
        *("ftp://example.com", "file:///etc/passwd", "gopher://example.com", "javascript:alert(1)", "unix:///x"),
        *("https://user@example.com", "https://user:word@example.com", "https://a.example@b.example/"),
        *("https://example.com/#part", "https://example.com/a b", "https://example.com\\@b.example/", "https://[::1/"),
        *("https://example.com:0/", "https://example.com:99999/", "https://example.com:x/", "https://bücher.example/"),
        *("https://example.com/\n", " https://example.com", "https://①②⑦.0.0.1/", "https://e.example/\x00"),
        "https://e.example/" + "x" * (MAX_LENGTH - 17),
    ],
)
def test_what_cannot_is_refused_in_the_same_words(url):
    with pytest.raises(ValueError, match=r"^must be a URL such as https://example\.com/hooks: [^:]*$"):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["", "example.com", "ftp://e.example", "https://", "https://e.example/#part", "https://ü"]
)
def test_a_server_that_has_the_schema_alone_refuses_what_is_no_url_as_well(url):
    assert not BY_SCHEMA.is_valid(url)
