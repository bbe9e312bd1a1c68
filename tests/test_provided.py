"""Which providers the settings make."""

from perdure.provided import LocalInbox, provided, uses_local_inbox
from perdure.settings import Settings

INBOX = LocalInbox("http://127.0.0.1:8080")


def email_provider(inbox: LocalInbox | None = None, **variables: str) -> str:
    provider = provided(Settings.read(variables), inbox).for_channel("email")
    assert provider is not None
    return provider.name


def test_mails_go_by_smtp_once_there_is_a_mail_server_and_else_by_mailtrap():
    assert email_provider() == "mailtrap"
    assert email_provider(INBOX) == "mailtrap (local inbox)"
    assert email_provider(SMTP_URL="smtp://localhost:1025") == "smtp"
    assert email_provider(INBOX, SMTP_URL="smtp://localhost:1025", MAILTRAP_API_KEY="key") == "smtp"
    assert not uses_local_inbox(Settings.read({"SMTP_URL": "smtp://localhost:1025"}))
