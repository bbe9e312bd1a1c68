"""Whether Mailtrap has a mail of which no answer came: asked of its account API, by the delivery's id, which every mail
carries. Not to know is no: the mail is then sent once more, with the same id.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from perdure.core.notifications.providers.base import Message
from perdure.core.notifications.providers.mailtrap_configuration import MailtrapConfiguration
from perdure.outbound.http_send import Answer, HttpSender

REQUEST_SECONDS = 4.0
MAX_ANSWER_BYTES = 262_144
"""A page of the logs has thirty mails with all that is known of them."""
MAX_CANDIDATES = 5
"""Of the mails that the sandbox has for the address, the headers of so many newest are read."""


async def find_mail(configuration: MailtrapConfiguration, message: Message, since: datetime) -> str | None:
    """Mailtrap's id of the mail that ``message`` was sent as; None where it has none, or does not tell."""
    if configuration.account_id is None or configuration.missing:
        return None
    sender = HttpSender(REQUEST_SECONDS, max_answer_bytes=MAX_ANSWER_BYTES)
    try:
        search = _Search(configuration, sender)
        return await (search.sandbox if configuration.use_sandbox else search.logs)(message, since)
    finally:
        await sender.aclose()


class _Search:
    def __init__(self, configuration: MailtrapConfiguration, sender: HttpSender) -> None:
        self._configuration = configuration
        self._sender = sender

    async def logs(self, message: Message, since: datetime) -> str | None:
        """Production: the logs show a mail's custom variables."""
        filters = {
            "filters[sent_after]": since.isoformat(),
            "filters[to][operator]": "ci_equal",
            "filters[to][value]": message.recipient,
        }
        match await self._get(f"/email_logs?{urlencode(filters)}"):
            case {"messages": list() as mails}:
                wanted = str(message.delivery_id)
                return next((_id(mail, "message_id") for mail in mails if _delivery_id(mail) == wanted), None)
            case _:
                return None

    async def sandbox(self, message: Message, since: datetime) -> str | None:
        """The inbox finds mails by address; their headers name the delivery."""
        path = f"/inboxes/{self._configuration.inbox_id}/messages"
        found = await self._get(f"{path}?search={quote(message.recipient, safe='')}")
        mails = [mail for mail in found if _is_since(mail, since)] if isinstance(found, list) else []
        for mail in mails[:MAX_CANDIDATES]:
            number = _id(mail, "id")
            match await self._get(f"{path}/{number}/mail_headers") if number is not None else None:
                case {"headers": dict() as headers} if _named(headers, "x-delivery-id") == str(message.delivery_id):
                    return number
        return None

    async def _get(self, path: str) -> Any:
        """The document at ``path`` of the account; None where there is none."""
        configuration = self._configuration
        url = f"{configuration.account_url}/api/accounts/{configuration.account_id}{path}"
        headers = {"Authorization": f"Bearer {configuration.key}", "Accept": "application/json"}
        answer = await self._sender.get(url, headers)
        if not isinstance(answer, Answer) or answer.status_code != 200 or not answer.whole:
            return None
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            return None


def _delivery_id(mail: Any) -> Any:
    variables = mail.get("custom_variables") if isinstance(mail, dict) else None
    return variables.get("delivery_id") if isinstance(variables, dict) else None


def _id(mail: Any, name: str) -> str | None:
    value = mail.get(name) if isinstance(mail, dict) else None
    return str(value)[:200] if isinstance(value, str | int) else None


def _is_since(mail: Any, since: datetime) -> bool:
    """Where it says when it was sent, in a way that can be read: not before, to the second."""
    try:
        return datetime.fromisoformat(mail["sent_at"]) >= since.replace(microsecond=0)
    except (KeyError, TypeError, ValueError):
        return False


def _named(headers: dict[Any, Any], name: str) -> Any:
    return next((value for key, value in headers.items() if str(key).lower() == name), None)
