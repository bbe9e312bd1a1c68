"""The channel ``email``, whoever carries its mails: what a job may declare for it, and who is told by it."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.base import (
    ChannelOptions,
    Evaluation,
    Recipients,
    Skip,
    declared_options,
    judge,
)
from perdure.errors import ConfigurationError
from perdure.models.delivery import SkipReason
from perdure.models.job import Job
from perdure.schemas.addresses import EmailAddress, check_address, normalised

CHANNEL = "email"
MAX_FURTHER = 50
RETRY_DELAYS_SECONDS = (30.0, 120.0, 600.0, 1800.0, 7200.0)
MAX_AGE_SECONDS = 21_600.0

_Addresses = Annotated[list[EmailAddress], Field(max_length=MAX_FURTHER)]


class EmailOptions(ChannelOptions):
    """A mail to ``context.email``, and one to each further address."""

    to: _Addresses | None = Field(None, description="further bare addresses, each told by a mail of its own")
    cc: _Addresses | None = Field(None, description="as `to`: nobody sees who else is told")


def evaluate_email(job: Job, event: JobEvent) -> Evaluation:
    """Who gets a mail about ``event``: the address in the job's context and those declared, each mailbox once."""
    options = declared_options(job, CHANNEL, EmailOptions)
    if options is None:
        return Skip(SkipReason.CHANNEL_DISABLED)
    return judge(options, event) or _recipients(job.context, options)


def check_sender(email: str, name: str) -> None:
    """Refuses a sender that no mail could name."""
    try:
        check_address(email)
    except ValueError:
        raise ConfigurationError(
            "MAIL_FROM_EMAIL is not a bare e-mail address. Put the sender's name in MAIL_FROM_NAME."
        ) from None
    if not name.strip() or not name.isprintable():
        raise ConfigurationError("MAIL_FROM_NAME must be one line of printable text.")


def _recipients(context: Any, options: EmailOptions) -> Evaluation:
    own = context.get("email") if isinstance(context, dict) else None
    if isinstance(own, str) and not options.to and not options.cc:
        return _alone(own)
    named = [*([] if own is None else [own]), *(options.to or ()), *(options.cc or ())]
    if not named:
        return Skip(SkipReason.NO_RECIPIENT)
    once: dict[str, str] = {}
    for address in filter(_is_address, named):
        once.setdefault(normalised(address), address)
    return Recipients(tuple(once.values())) if once else Skip(SkipReason.INVALID_RECIPIENT)


@lru_cache(maxsize=1024)  # job after job names the same few
def _alone(address: str) -> Evaluation:
    return Recipients((address,)) if _is_address(address) else Skip(SkipReason.INVALID_RECIPIENT)


def _is_address(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(check_address(value))
    except ValueError:
        return False
