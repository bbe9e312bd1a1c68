"""Whether Mailtrap would take our mails: asked of its account API, so that `perdure doctor` sends none.

Of the sender's domain it tells what Mailtrap thinks of it, and of its DNS records each that Mailtrap does not find.
Only what Mailtrap clearly denies is a failure. No network, a token that may send but not look, a stand-in that has no
such API: that is a warning, for mails may still pass.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from perdure.core.notifications.providers.mailtrap_configuration import MailtrapConfiguration
from perdure.models.finding import Finding, Level
from perdure.outbound.http_send import Answer, HttpSender, NoAnswer
from perdure.schemas.addresses import mask

REQUEST_SECONDS = 4.0
DEMO_DOMAIN = "demomailtrap.co"
MAX_ACCOUNTS = 5
"""So many accounts of a token are looked through for the inbox or the domain."""

_STANDING = {
    "demo_exhausted": "Its free mails are used up: add a domain of your own in Mailtrap (Sending Domains).",
    "unverified_dns": "Publish the DNS records that Mailtrap shows for it (Sending Domains), and let it verify them.",
    "missing_company_info": "Mailtrap wants your company's details (Sending Domains, Compliance).",
    "awaiting_questionnaire": "Answer Mailtrap's questions about your mails (Sending Domains, Compliance).",
    "awaiting_card_verification": "Mailtrap wants a card to verify you with (Sending Domains, Compliance).",
    "under_review": "Mailtrap's people look at it; wait for their mail, which takes a working day.",
    "non_compliant": "Mailtrap has refused it; its mail to you says why. Answer that, or use another domain.",
    "suspended": "Mailtrap has stopped it, mostly for bounces or complaints; ask its support.",
}
"""What to do about a domain that may not send, by ``compliance_status``."""
_SHOWN = 40
_MAY_SEND = ("compliant", "demo")


async def check_mailtrap(configuration: MailtrapConfiguration) -> Sequence[Finding]:
    """What is configured, whether the token is known, and whether the inbox or the sender's domain is."""
    if configuration.missing:
        return [
            Finding(
                Level.WARN,
                f"not configured ({', '.join(configuration.missing)}): mails end as SKIPPED",
                "Set it where the notifier runs. (`perdure dev` catches mails in an inbox of its own.)",
            )
        ]
    sender = HttpSender(REQUEST_SECONDS)
    try:
        return [_mode(configuration), *await _account(_AccountApi(configuration, sender))]
    finally:
        await sender.aclose()


def _mode(configuration: MailtrapConfiguration) -> Finding:
    if configuration.use_sandbox:
        return Finding(Level.OK, f"sandbox: every mail goes to inbox {configuration.inbox_id}, and to nobody else")
    found = f"production: mails reach people, from {mask(configuration.from_email)}"
    if configuration.from_domain == DEMO_DOMAIN:
        return Finding(
            Level.WARN,
            f"{found}, of Mailtrap's demo domain: it mails the account's owner only",
            "Set MAIL_FROM_EMAIL to an address of a domain that you have verified in Mailtrap.",
        )
    return Finding(Level.OK, found)


class _AccountApi:
    """The reading side of Mailtrap's account API."""

    def __init__(self, configuration: MailtrapConfiguration, sender: HttpSender) -> None:
        self.configuration = configuration
        self._sender = sender

    async def get(self, path: str) -> Answer | NoAnswer:
        headers = {"Authorization": f"Bearer {self.configuration.key}", "Accept": "application/json"}
        return await self._sender.get(self.configuration.account_url + path, headers)

    async def of_accounts(self, accounts: Sequence[int], path: str) -> list[Answer | NoAnswer]:
        return await asyncio.gather(*(self.get(f"/api/accounts/{account}{path}") for account in accounts))


async def _account(api: _AccountApi) -> list[Finding]:
    answer = await api.get("/api/accounts")
    if isinstance(answer, NoAnswer):
        return [
            Finding(
                Level.WARN,
                f"Mailtrap could not be asked: {answer.explanation}",
                "Check the network from here (and MAILTRAP_API_HOST, if set), then run this again.",
            )
        ]
    if answer.status_code == 401:
        return [
            Finding(
                Level.FAIL,
                "Mailtrap does not know the token",
                "Copy a token from Mailtrap (Settings, API Tokens) to MAILTRAP_API_KEY.",
            )
        ]
    accounts = _account_ids(answer)
    if not accounts:
        return [_untold(f"whether the token is valid (status {answer.status_code})")]
    found = [Finding(Level.OK, "the token is valid"), *_named_account(api.configuration, accounts)]
    looked_through = accounts[:MAX_ACCOUNTS]
    if api.configuration.use_sandbox:
        return [*found, await _inbox(api, looked_through)]
    return [*found, *await _domain(api, looked_through)]


def _named_account(configuration: MailtrapConfiguration, accounts: Sequence[int]) -> list[Finding]:
    """MAILTRAP_ACCOUNT_ID, where it is another's: then nobody is asked what came of a mail, which no mail shows."""
    if configuration.account_id is None or int(configuration.account_id) in accounts:
        return []
    return [
        Finding(
            Level.WARN,
            "the token is of no account with the number MAILTRAP_ACCOUNT_ID",
            f"Set it to {' or '.join(map(str, accounts[:MAX_ACCOUNTS]))}; else a mail that Mailtrap did not answer for "
            "may be sent twice.",
        )
    ]


async def _inbox(api: _AccountApi, accounts: Sequence[int]) -> Finding:
    answers = await api.of_accounts(accounts, f"/inboxes/{api.configuration.inbox_id}")
    statuses = {answer.status_code if isinstance(answer, Answer) else None for answer in answers}
    if 200 in statuses:
        return Finding(Level.OK, "the inbox is there")
    if statuses == {404}:
        return Finding(
            Level.FAIL,
            "the token's accounts have no such inbox",
            "Take MAILTRAP_INBOX_ID from the address of the inbox's page, in the account of the token.",
        )
    return _untold("whether the inbox is there")


async def _domain(api: _AccountApi, accounts: Sequence[int]) -> list[Finding]:
    answers = await api.of_accounts(accounts, "/sending_domains")
    listed = [_domains(answer) for answer in answers]
    known = {name: domain for domains in listed for name, domain in (domains or {}).items()}
    found = known.get(api.configuration.from_domain)
    if found is not None:
        return [_standing(found), *_records(found)]
    if None in listed:
        return [_untold("whether the sender's domain may send")]
    return [
        Finding(
            Level.FAIL,
            "the sender's domain is none of the account's",
            "Add it in Mailtrap (Sending Domains), or set MAIL_FROM_EMAIL to an address of one that is there.",
        )
    ]


def _standing(domain: Mapping[str, Any]) -> Finding:
    status = str(domain.get("compliance_status"))
    if status in _MAY_SEND:
        return Finding(Level.OK, "Mailtrap lets the sender's domain send")
    return Finding(
        Level.FAIL,
        f"Mailtrap does not let the sender's domain send: it is {status[:_SHOWN]!r}",
        _STANDING.get(status, "Finish its verification in Mailtrap (Sending Domains)."),
    )


def _records(domain: Mapping[str, Any]) -> list[Finding]:
    """The DNS records that Mailtrap wants and does not find; none are told for its own demo domain."""
    records = domain.get("dns_records")
    if domain.get("compliance_status") == "demo" or not isinstance(records, list):
        return []
    wanted = [one for one in records if isinstance(one, dict) and isinstance(one.get("key"), str)]
    if not wanted:
        return []
    missing = [
        f"{one['key'][:_SHOWN]} ({str(one.get('status'))[:_SHOWN]})" for one in wanted if one.get("status") != "pass"
    ]
    if not missing:
        return [Finding(Level.OK, f"Mailtrap finds all {len(wanted)} DNS records of the sender's domain")]
    return [
        Finding(
            Level.WARN,
            f"DNS records of the sender's domain that Mailtrap does not find as they should be: {', '.join(missing)}",
            "Publish them as Mailtrap shows them (Sending Domains); without them mails are refused or taken for spam.",
        )
    ]


def _untold(what: str) -> Finding:
    return Finding(
        Level.WARN,
        f"Mailtrap did not say {what}",
        "The token may lack access to it, which sending does not need. `perdure deliveries list` shows how mails end.",
    )


def _account_ids(answer: Answer) -> list[int]:
    match _document(answer):
        case list() as accounts:
            return [one["id"] for one in accounts if isinstance(one, dict) and isinstance(one.get("id"), int)]
        case _:
            return []


def _domains(answer: Answer | NoAnswer) -> dict[str, dict[str, Any]] | None:
    """The account's domains by name; None where it did not say."""
    match _document(answer):
        case {"data": list() as domains}:
            return {
                one["domain_name"].lower(): one
                for one in domains
                if isinstance(one, dict) and isinstance(one.get("domain_name"), str)
            }
        case _:
            return None


def _document(answer: Answer | NoAnswer) -> Any:
    if isinstance(answer, NoAnswer) or answer.status_code != 200 or not answer.whole:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
