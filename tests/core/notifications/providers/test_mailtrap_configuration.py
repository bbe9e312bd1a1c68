import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration
from perdure.errors import ConfigurationError

KEY = "f00dcafe"


@pytest.mark.parametrize(
    ("given_settings", "url"),
    [
        ({"inbox_id": "42"}, "https://sandbox.api.mailtrap.io/api/send/42"),
        ({"use_sandbox": False}, "https://send.api.mailtrap.io/api/send"),
        ({"use_sandbox": False, "inbox_id": "42"}, "https://send.api.mailtrap.io/api/send"),
        ({"inbox_id": " 42\n", "api_host": "127.0.0.1:9999"}, "http://127.0.0.1:9999/api/send/42"),
        ({"use_sandbox": False, "api_host": "localhost"}, "http://localhost/api/send"),
        ({"inbox_id": "1", "api_host": "https://127.0.0.1:9999"}, "https://127.0.0.1:9999/api/send/1"),
        ({"inbox_id": "1", "api_host": "http://[::1]:9999/"}, "http://[::1]:9999/api/send/1"),
        ({"inbox_id": "1", "api_host": "mail.example"}, "https://mail.example/api/send/1"),
        ({"inbox_id": "1", "api_host": "mail.example:8443"}, "https://mail.example:8443/api/send/1"),
        (
            {"inbox_id": "1", "api_host": "https://gateway.example/mailtrap/"},
            "https://gateway.example/mailtrap/api/send/1",
        ),
    ],
)
def test_where_mails_are_posted_to(given_settings, url):
    assert MailtrapConfiguration(api_key=KEY, **given_settings).send_url == url


@settings(deadline=None)  # a busy machine proves nothing
@given(inbox_id=st.text(), api_host=st.none() | st.text())
def test_with_the_sandbox_on_nothing_leads_to_production(inbox_id, api_host):
    try:
        configuration = MailtrapConfiguration(api_key=KEY, use_sandbox=True, inbox_id=inbox_id, api_host=api_host)
    except ConfigurationError:
        return
    url = configuration.send_url
    if api_host is None:
        assert url.startswith("https://sandbox.api.mailtrap.io/api/send/")
    assert "send.api.mailtrap.io" not in url


@pytest.mark.parametrize(
    "api_host", ["send.api.mailtrap.io", "https://SEND.api.mailtrap.io:443/", "bulk.api.mailtrap.io"]
)
def test_the_sandbox_refuses_production_as_its_host(api_host):
    with pytest.raises(ConfigurationError, match="MAILTRAP_USE_SANDBOX"):
        MailtrapConfiguration(api_key=KEY, inbox_id="42", api_host=api_host)


@pytest.mark.parametrize(
    "api_host",
    [
        "http://mail.example",
        "http://10.0.0.1:80",
        "http://127.0.0.1.example",
        "http://127.0.0.1@mail.example",
        "https://user:secret@mail.example",
        "ftp://127.0.0.1",
        "https://",
        "",
        "mail example",
        "mail.example:port",
        "mail.example:99999",
        "https://mail.example?x=1",
        "https://mail.example/#x",
        "https://mail.example\\@other.example",
        "https://mail.example/a b",
    ],
)
def test_a_host_that_cannot_be_meant_is_refused_without_repeating_it(api_host):
    with pytest.raises(ConfigurationError, match="MAILTRAP_API_HOST") as raised:
        MailtrapConfiguration(api_key=KEY, api_host=api_host)
    assert "secret" not in raised.value.detail


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel", "nul\x00byte"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_without_repeating_it(key):
    with pytest.raises(ConfigurationError, match="MAILTRAP_API_KEY") as raised:
        MailtrapConfiguration(api_key=SecretStr(key))
    assert key not in raised.value.detail
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("key", [f" {KEY}\n", SecretStr(f"{KEY}\r\n"), KEY])
def test_a_key_is_stripped_and_not_shown(key):
    configuration = MailtrapConfiguration(api_key=key, inbox_id="1")
    assert configuration.key == KEY
    assert KEY not in repr(configuration)
    assert KEY not in str(configuration.api_key)


@pytest.mark.parametrize(
    ("given_settings", "missing"),
    [
        ({}, ["MAILTRAP_API_KEY", "MAILTRAP_INBOX_ID"]),
        ({"api_key": " "}, ["MAILTRAP_API_KEY", "MAILTRAP_INBOX_ID"]),
        ({"api_key": KEY}, ["MAILTRAP_INBOX_ID"]),
        ({"api_key": KEY, "inbox_id": " "}, ["MAILTRAP_INBOX_ID"]),
        ({"api_key": KEY, "use_sandbox": False}, []),
        ({"api_key": KEY, "inbox_id": "42"}, []),
    ],
)
def test_what_is_missing_is_named(given_settings, missing):
    assert MailtrapConfiguration(**given_settings).missing == missing


@pytest.mark.parametrize(
    "given_settings",
    [
        {"inbox_id": "../../api/other"},
        {"inbox_id": "4 2"},
        {"from_email": "not an address"},
        {"from_name": "a\r\nBcc: b"},
        {"from_name": " "},
    ],
)
def test_what_cannot_be_used_is_refused_at_the_start(given_settings):
    with pytest.raises(ConfigurationError):
        MailtrapConfiguration(**given_settings)
