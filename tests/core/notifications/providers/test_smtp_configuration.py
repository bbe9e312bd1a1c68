import importlib.util

import pytest
from pydantic import SecretStr

from perdure.core.notifications.providers import smtp_configuration
from perdure.core.notifications.providers.smtp_configuration import MailServer, Security, SmtpConfiguration
from perdure.errors import ConfigurationError

TLS, STARTTLS, NONE = Security.TLS, Security.STARTTLS, Security.NONE


@pytest.mark.parametrize(
    ("url", "host", "port", "security", "login"),
    [
        ("smtp://mail.example", "mail.example", 587, STARTTLS, None),
        ("smtp://mail.example:25", "mail.example", 25, STARTTLS, None),
        ("smtp://mail.example/?starttls=required", "mail.example", 587, STARTTLS, None),
        ("smtps://mail.example", "mail.example", 465, TLS, None),
        (" smtps://u:p@mail.example:8465\n", "mail.example", 8465, TLS, ("u", "p")),
        (
            "smtp://a%40b.example:p%2F%23%3A%20w@mail.example:587",
            "mail.example",
            587,
            STARTTLS,
            ("a@b.example", "p/#: w"),
        ),
        ("smtp://127.0.0.1:1025", "127.0.0.1", 1025, NONE, None),
        ("smtp://u:p@localhost:1025", "localhost", 1025, NONE, ("u", "p")),
        ("smtp://[::1]:1025", "::1", 1025, NONE, None),
        ("smtp://localhost?starttls=required", "localhost", 587, STARTTLS, None),
        ("smtp://mailpit:1025?starttls=never", "mailpit", 1025, NONE, None),
    ],
)
def test_where_mails_go_and_how(url, host, port, security, login):
    server = MailServer.parse(url)
    assert (server.host, server.port, server.security) == (host, port, security)
    given = server.username and server.password and (server.username, server.password.get_secret_value())
    assert (given or None) == login


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:port",
        "smtp://mail.example:99999",
        "smtp://mail.example/path",
        "smtp://mail.example#canary",
        "smtp://mail.example?starttls=maybe",
        "smtp://mail.example?timeout=3",
        "smtps://mail.example?starttls=required",
        "smtp://u:canary@mail.example?starttls=never",
        "smtp://canary@mail.example",
        "smtp://:canary@mail.example",
        "smtp://u:can/ary@mail.example",
        "smtp://u:canary%0d%0a@mail.example",
        "smtp://mail example",
    ],
)
def test_what_cannot_be_meant_is_refused_without_repeating_it(url):
    with pytest.raises(ConfigurationError, match="SMTP_URL") as raised:
        MailServer.parse(url)
    assert "canary" not in raised.value.detail


@pytest.mark.parametrize("sender", [{"from_email": "not an address"}, {"from_name": "a\r\nBcc: b"}])
def test_a_sender_that_no_mail_could_name_is_refused(sender):
    with pytest.raises(ConfigurationError, match="MAIL_FROM"):
        SmtpConfiguration(**{"url": "smtp://localhost", "from_email": "a@b.example", "from_name": "Jobs"} | sender)


def test_the_password_is_not_shown():
    url = SecretStr("smtp://u:canary@mail.example")
    assert "canary" not in repr(SmtpConfiguration(url=url, from_email="a@b.example", from_name="Jobs"))


def test_the_missing_package_is_named(monkeypatch):
    assert importlib.util.find_spec("aiosmtplib"), "the tests have it"
    monkeypatch.setattr(smtp_configuration, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"perdure\[smtp\]"):
        SmtpConfiguration(url="smtp://localhost", from_email="a@b.example", from_name="Jobs")
