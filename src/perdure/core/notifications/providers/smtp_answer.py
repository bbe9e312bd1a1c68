"""What a mail server's reply means: the one place that turns it into an ``Attempt``.

A reply is believed: 4xx is "later", 5xx "never", and at which step it came says whether that is about us, about the
recipient or about the mail. Until the mail itself is sent, silence is harmless; from then on it may have been taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from perdure.core.notifications.providers.redaction import redacted
from perdure.core.notifications.providers.smtp_send import Reply, Silence, Step
from perdure.models.delivery import Attempt, Verdict

MAX_MESSAGE = 500
MAX_EXCERPT = 512
MAX_MESSAGE_ID = 200

SHUTS_DOWN = 421
"""At whatever step a server says it, it is about the server."""
_SET_UP = frozenset({"certificate_refused", "tls_not_offered", "login_not_offered"})
_WANTS_LOGIN = frozenset({530, 534, 535, 538})
_RELAY = re.compile(r"\brelay", re.IGNORECASE)
_QUEUED_AS = re.compile(r"\b(?:queued as|id=)\s*([A-Za-z0-9][A-Za-z0-9._-]*)", re.IGNORECASE)
"""How Postfix, Exim and their like name the mail that they took."""

_REFUSALS = {
    Step.GREETING: (Verdict.MISCONFIGURED, "not_permitted", "the mail server does not want us: check SMTP_URL"),
    Step.ENCRYPTION: (Verdict.MISCONFIGURED, "tls_failed", "the mail server refuses STARTTLS: check SMTP_URL"),
    Step.LOGIN: (Verdict.MISCONFIGURED, "not_permitted", "the mail server refuses the login: check SMTP_URL"),
    Step.SENDER: (Verdict.MISCONFIGURED, "sender_refused", "the mail server refuses the sender: check MAIL_FROM_EMAIL"),
    Step.RECIPIENT: (Verdict.PERMANENT, "recipient_refused", "the mail server refuses the recipient"),
    Step.CONTENT: (Verdict.PERMANENT, "message_refused", "the mail server refuses the mail"),
}

# What Mailtrap, Gmail and others refuse with a 5xx, and neither the recipient nor the mail is meant.
_BY_WORDS = (
    (
        re.compile(r"\btoo many (e-?mails|messages) per (second|minute)\b", re.IGNORECASE),
        (Verdict.TRANSIENT, "rate_limited", "the mail server takes so many at a slower pace alone"),
    ),
    (
        re.compile(
            r"\b(e-?mail limit is reached|upgrade your plan|daily (user )?sending (quota|limit))\b", re.IGNORECASE
        ),
        (Verdict.MISCONFIGURED, "plan_used_up", "what the account at the mail server may send is used up"),
    ),
)


def judge_reply(answer: Reply | Silence, secrets: Sequence[str]) -> Attempt:
    """The attempt that ``answer`` makes; ``secrets`` and addresses never reach it."""
    if isinstance(answer, Silence):
        return _judge_silence(answer)
    said = redacted(answer.text, MAX_EXCERPT, secrets)
    if answer.step is Step.CONTENT and answer.code == 250:
        queued = _QUEUED_AS.search(said)
        return Attempt(
            verdict=Verdict.ACCEPTED,
            status_code=answer.code,
            provider_message_id=queued[1][:MAX_MESSAGE_ID] if queued else None,
            response_excerpt=said or None,
        )
    verdict, error_type, message = _judge_refusal(answer)
    return Attempt(
        verdict=verdict,
        status_code=answer.code if 100 <= answer.code < 600 else None,
        error_type=error_type,
        message=redacted(f"{message}: {answer.text}", MAX_MESSAGE, secrets),
        response_excerpt=said or None,
        spares_destination=verdict is Verdict.TRANSIENT and answer.step is Step.RECIPIENT and answer.code != SHUTS_DOWN,
    )


def _judge_silence(silence: Silence) -> Attempt:
    if silence.step is Step.CONTENT:
        verdict, doubt = Verdict.AMBIGUOUS, "the mail may have been taken"
    else:
        verdict, doubt = Verdict.TRANSIENT, "nothing was sent"
    if silence.cause in _SET_UP:
        verdict = Verdict.MISCONFIGURED
    return Attempt(verdict=verdict, error_type=silence.cause, message=f"{silence.explanation}; {doubt}")


def _judge_refusal(reply: Reply) -> tuple[Verdict, str, str]:
    if 400 <= reply.code < 500:
        return Verdict.TRANSIENT, "try_later", "the mail server says later"
    if 500 <= reply.code < 600:
        by_words = next((judged for words, judged in _BY_WORDS if words.search(reply.text)), None)
        if by_words is not None:
            return by_words
        if reply.code in _WANTS_LOGIN or (reply.step is Step.RECIPIENT and _RELAY.search(reply.text)):
            return Verdict.MISCONFIGURED, "not_permitted", "the mail server wants another login: check SMTP_URL"
        return _REFUSALS[reply.step]
    if reply.step is Step.CONTENT:
        return Verdict.AMBIGUOUS, "unproven", "the mail server's reply does not prove that it took the mail"
    return Verdict.TRANSIENT, "unintelligible", "what the mail server said is no reply that fits"
