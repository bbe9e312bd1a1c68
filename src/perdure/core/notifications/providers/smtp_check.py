"""Whether the mail server would take our mails: `perdure doctor` signs in, names the sender, and sends none."""

from __future__ import annotations

from collections.abc import Sequence

from perdure.core.notifications.providers.smtp_answer import judge_reply
from perdure.core.notifications.providers.smtp_configuration import Security, SmtpConfiguration
from perdure.core.notifications.providers.smtp_send import SmtpSender
from perdure.models.delivery import Verdict
from perdure.models.finding import Finding, Level
from perdure.schemas.addresses import mask

CHECK_SECONDS = 8.0
DEMO_DOMAIN = "demomailtrap.co"
_MEND = "Mend SMTP_URL: user, password, host and port."
_OTHER_SENDER = "Set MAIL_FROM_EMAIL to an address that this mail server may send for."
_ADVICE = {
    "certificate_refused": "Is it the right host? A certificate of your own authority: name that in SSL_CERT_FILE.",
    "sender_refused": _OTHER_SENDER,
}
"""What to do, by what went wrong; by default ``_MEND``."""
_PROTECTION = {Security.TLS: "TLS", Security.STARTTLS: "STARTTLS", Security.NONE: "no encryption"}


async def check_smtp(configuration: SmtpConfiguration, secrets: Sequence[str]) -> Sequence[Finding]:
    """Where mails go and in whose name, and whether the server lets us in."""
    return [_sender(configuration), await _server(configuration, secrets)]


def _sender(configuration: SmtpConfiguration) -> Finding:
    server = configuration.server
    where = f"{server.host}:{server.port}, {_PROTECTION[server.security]}"
    found = f"mails reach people through {where}, from {mask(configuration.from_email)}"
    if configuration.from_domain == DEMO_DOMAIN:
        return Finding(
            Level.WARN,
            f"{found}, of Mailtrap's demo domain",
            _OTHER_SENDER,
        )
    return Finding(Level.OK, found)


async def _server(configuration: SmtpConfiguration, secrets: Sequence[str]) -> Finding:
    sender = SmtpSender(configuration.server, configuration.from_domain, CHECK_SECONDS)
    answer = await sender.introduce(configuration.sender)
    if answer is None:
        login = "asks for no login" if configuration.server.username is None else "knows the login"
        return Finding(Level.OK, f"the mail server {login}, and lets the sender send")
    attempt = judge_reply(answer, secrets)
    found = attempt.message or ""
    if attempt.verdict is Verdict.MISCONFIGURED:
        return Finding(Level.FAIL, found, _ADVICE.get(attempt.error_type or "", _MEND))
    return Finding(Level.WARN, found, "Check the network from here, then run this again.")
