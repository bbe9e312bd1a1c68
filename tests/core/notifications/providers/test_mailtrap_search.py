"""Whether Mailtrap is asked for a mail, and what of its answers is a proof."""

from datetime import UTC, datetime

import pytest
from tests.core.notifications.jobs import a_message
from tests.stand_in.mailtrap_server import MailtrapStandIn

from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.errors import ConfigurationError

MESSAGE = a_message()
SINCE = datetime(2030, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)
MESSAGES = "/api/accounts/7/inboxes/42/messages"
SEARCH = f"{MESSAGES}?search=reader%40example.com"
LOGS = (
    "/api/accounts/7/email_logs?filters%5Bsent_after%5D=2030-01-31T12%3A00%3A00.500000%2B00%3A00"
    "&filters%5Bto%5D%5Boperator%5D=ci_equal&filters%5Bto%5D%5Bvalue%5D=reader%40example.com"
)
OURS, OTHERS = str(MESSAGE.delivery_id), "01900000-0000-7000-8000-0000000000d2"
AFTER, BEFORE = "2030-01-31T12:00:00.000Z", "2030-01-31T11:59:59.000Z"


async def find(pages, **settings):
    with MailtrapStandIn() as stand_in:
        stand_in.pages = pages
        configuration = {"api_key": "k3y", "inbox_id": "42", "account_id": "7", "api_host": stand_in.url} | settings
        provider = MailtrapEmailProvider(MailtrapConfiguration(**configuration))
        found = await provider.find(MESSAGE, SINCE)
        await provider.aclose()
        return found, [request.method for request in stand_in.received]


def headers_of(delivery_id):
    return (200, {"headers": {"X-Delivery-ID": delivery_id, "subject": "s"}})


@pytest.mark.parametrize(
    ("pages", "found"),
    [
        ({SEARCH: (200, [{"id": 5, "sent_at": AFTER}]), f"{MESSAGES}/5/mail_headers": headers_of(OURS)}, "5"),
        ({SEARCH: (200, [{"id": 5, "sent_at": AFTER}]), f"{MESSAGES}/5/mail_headers": headers_of(OTHERS)}, None),
        ({SEARCH: (200, [{"id": 5, "sent_at": BEFORE}]), f"{MESSAGES}/5/mail_headers": headers_of(OURS)}, None),
        ({SEARCH: (200, [{"id": 5, "sent_at": AFTER}]), f"{MESSAGES}/5/mail_headers": (404, {})}, None),
        ({SEARCH: (200, ["?", {"id": None, "sent_at": AFTER}, {"id": 5}])}, None),
        ({SEARCH: (200, {"success": True})}, None),
        ({SEARCH: (500, [])}, None),
    ],
)
async def test_the_sandbox_is_asked_for_mails_to_the_address(pages, found):
    assert (await find(pages))[0] == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ((200, {"messages": [{"message_id": "m-1", "custom_variables": {"delivery_id": OURS}}]}), "m-1"),
        ((200, {"messages": [{"message_id": "m-1", "custom_variables": {"delivery_id": OTHERS}}]}), None),
        ((200, {"messages": ["?", {"custom_variables": {"delivery_id": OURS}}]}), None),
        ((200, {"messages": None}), None),
        ((403, {"error": "no"}), None),
    ],
)
async def test_production_is_asked_for_its_log(answer, found):
    assert (await find({LOGS: answer}, use_sandbox=False))[0] == found


async def test_without_an_account_nobody_is_asked():
    assert await find({}, account_id=None) == (None, [])


def test_an_account_is_a_number():
    with pytest.raises(ConfigurationError, match="MAILTRAP_ACCOUNT_ID"):
        MailtrapConfiguration(account_id="../7")
