"""What the messages are made of, whoever sends them. What a provider needs for it, the provider checks itself."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from perdure.core.doctor.installation import Check, Installation
from perdure.core.loopback import is_loopback
from perdure.core.notifications.rendering import checked_public_url
from perdure.models.finding import Finding, Level

FEEDBACK_PATH = "/v1/feedback/mailtrap"
"""Where Mailtrap's webhooks are to go, below the public address."""


async def public_url(installation: Installation) -> Finding:
    """Links in messages lead to the server: PERDURE_PUBLIC_URL is set, unless nobody else is let in."""
    url = checked_public_url(installation.public_url)
    if url is None and installation.lets_others_in:
        return Finding(
            Level.WARN,
            "messages hold no link to the job",
            "Set PERDURE_PUBLIC_URL to how people reach the server, such as https://jobs.example.com.",
        )
    if url is None:
        return Finding(Level.OK, "not set: messages hold no link to the job")
    parts = urlsplit(url)
    if is_loopback(parts.hostname or ""):
        level = Level.WARN if installation.lets_others_in else Level.OK
        advice = "Set PERDURE_PUBLIC_URL to how people reach the server." if level is Level.WARN else ""
        return Finding(level, "links in messages work on this machine alone", advice)
    if parts.scheme == "http":
        return Finding(
            Level.WARN,
            "links in messages lead to plain http",
            "Put the server behind TLS, and let PERDURE_PUBLIC_URL begin with https://.",
        )
    return Finding(Level.OK, f"links in messages lead to {parts.netloc.rpartition('@')[2]}")


async def templates(installation: Installation) -> Finding:
    """The templates in PERDURE_TEMPLATES_DIR make messages of sample jobs, large and small."""
    own = (await asyncio.to_thread(installation.templates)).own
    return Finding(Level.OK, f"{len(own)} of your own: {', '.join(own)}" if own else "the built-in ones")


async def mail_feedback(installation: Installation) -> Finding:
    """Mails that reach people come with Mailtrap's word on which bounced: MAILTRAP_WEBHOOK_SECRET is set."""
    if not installation.misses_bounces:
        return Finding(Level.OK, "no bounce is missed: no mail leaves Mailtrap, or MAILTRAP_WEBHOOK_SECRET is set")
    url = (installation.public_url or "https://…").rstrip("/") + FEEDBACK_PATH
    return Finding(
        Level.WARN,
        "mails reach people, and nobody hears which of them bounce",
        f"In Mailtrap, make a webhook to {url}, and set MAILTRAP_WEBHOOK_SECRET where the server runs.",
    )


async def unsubscribing(installation: Installation) -> Finding:
    """Mails that reach people offer to unsubscribe: PERDURE_PUBLIC_URL and PERDURE_SECRET are set."""
    if installation.unsubscribe_links() is not None:
        return Finding(Level.OK, "mails offer to unsubscribe")
    if not installation.mails_reach_people:
        return Finding(Level.OK, "mails offer no way to unsubscribe, and reach nobody")
    return Finding(
        Level.WARN,
        "mails reach people, and offer no way to unsubscribe",
        "Set PERDURE_PUBLIC_URL and PERDURE_SECRET (`openssl rand -hex 32`): the same for all that send or serve.",
    )


CHECKS: tuple[Check, ...] = (public_url, templates, mail_feedback, unsubscribing)
