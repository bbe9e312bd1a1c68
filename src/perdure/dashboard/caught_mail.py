"""A mail of the local inbox as it is shown: whatever was caught, for the inbox takes what it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """The parts of a mail as text; ``headers`` are (name, value), with what else Mailtrap was told."""

    message_id: UUID
    received_at: datetime
    sender: str
    to: str
    subject: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]
    delivery_id: UUID | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> CaughtMail:
        mail = row["mail"]
        sender, to = _people([mail.get("from")]), _people(mail.get("to"))
        subject = _text(mail.get("subject"))
        variables = _pairs(mail.get("custom_variables"))
        addressed = (
            ("From", sender),
            ("To", to),
            *((name, _people(mail.get(name.lower()))) for name in ("Cc", "Bcc")),
            ("Reply-To", _people([mail.get("reply_to")])),
            ("Subject", subject),
        )
        return cls(
            message_id=row["message_id"],
            received_at=row["received_at"],
            sender=sender,
            to=to,
            subject=subject,
            text=_text(mail.get("text")),
            html=_text(mail.get("html")),
            headers=(
                *((name, value) for name, value in addressed if value),
                *_pairs(mail.get("headers")),
                *((f"category ({MAILTRAP})", one) for one in [_text(mail.get("category"))] if one),
                *((f"{name} ({MAILTRAP})", value) for name, value in variables),
            ),
            delivery_id=_id(dict(variables).get("delivery_id")),
        )


MAILTRAP = "Mailtrap's own"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _people(value: Any) -> str:
    """``Name <address>``, any number of them."""
    return ", ".join(filter(None, (_person(one) for one in (value if isinstance(value, list) else [value]))))


def _person(value: Any) -> str:
    if not isinstance(value, dict):
        return _text(value)
    name, email = _text(value.get("name")), _text(value.get("email"))
    return f"{name} <{email}>" if name and email else name or email


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name, _text(one)) for name, one in value.items()) if isinstance(value, dict) else ()


def _id(value: str | None) -> UUID | None:
    try:
        return None if value is None else UUID(value)
    except ValueError:
        return None
