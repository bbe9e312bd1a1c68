import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError
from tests.core.notifications.jobs import JOB_ID, NOW, a_message, ended_job
from tests.stand_in.receiver import LOOPBACK, Receiver, Reply, verified

from perdure.core.notifications.endpoints import Target
from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.base import Message, Recipients, Skip
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.providers.webhook import WebhookConfiguration, WebhookProvider
from perdure.core.notifications.snapshot import snapshot_of
from perdure.errors import ConfigurationError, Unavailable
from perdure.models.delivery import SkipReason, Verdict
from perdure.models.finding import Level
from perdure.models.outcome import ErrorReason, JobError

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OLD_SECRET = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
URL = "https://hooks.example.com/jobs"


def a_provider(**settings: Any) -> WebhookProvider:
    defaults: dict[str, Any] = {"signing_secret": SECRET, "allow_cidrs": LOOPBACK}
    return WebhookProvider(WebhookConfiguration(**defaults | settings))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture
async def provider() -> AsyncIterator[WebhookProvider]:
    provider = a_provider()
    yield provider
    await provider.aclose()


def a_webhook(receiver: Receiver, path: str = "/hook", **changes: Any) -> Message:
    return a_message(recipient=receiver.url + path, html=None, **changes)


async def test_a_receiver_verifies_it_with_the_library_of_the_standard(receiver, provider):
    message = a_webhook(receiver, url="https://jobs.example/v1/jobs/1")
    attempt = await provider.send(message)
    assert (attempt.verdict, attempt.status_code, attempt.error_type) == (Verdict.DELIVERED, 200, None)
    [request] = receiver.received
    assert (request.method, request.path, request.headers["content-type"]) == ("POST", "/hook", "application/json")
    assert request.headers["webhook-id"] == str(message.delivery_id)
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    payload = verified(request, SECRET)
    assert (payload["type"], payload["timestamp"]) == ("job.succeeded", NOW.isoformat())
    assert payload["data"]["job_id"] == str(JOB_ID)
    assert payload["data"]["url"] == "https://jobs.example/v1/jobs/1"
    assert "result" not in payload["data"], "it is an excerpt, and says so"
    assert payload["data"]["result_excerpt"] is None
    with pytest.raises(WebhookVerificationError):
        verified(request, OLD_SECRET)


async def test_while_secrets_are_rotated_each_of_them_verifies(receiver):
    provider = a_provider(signing_secret=f"{SECRET}, {OLD_SECRET}")
    await provider.send(a_webhook(receiver))
    await provider.aclose()
    [request] = receiver.received
    assert verified(request, SECRET) == verified(request, OLD_SECRET)


async def test_a_second_try_has_the_same_id_and_a_timestamp_of_its_own(receiver, provider, monkeypatch):
    message = a_webhook(receiver)
    await provider.send(message)
    later = time.time() + 90
    monkeypatch.setattr("perdure.core.notifications.providers.webhook.time.time", lambda: later)
    await provider.send(message)
    first, second = (request.headers for request in receiver.received)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) in (89, 90, 91)
    verified(receiver.received[1], SECRET)


@pytest.mark.parametrize(
    ("event", "kind"),
    [(JobEvent.SUCCESS, "job.succeeded"), (JobEvent.FAILURE, "job.failed"), (JobEvent.CANCELLED, "job.cancelled")],
)
async def test_every_event_has_its_type(receiver, provider, event, kind):
    await provider.send(a_webhook(receiver, event=event))
    assert verified(receiver.received[0], SECRET)["type"] == kind


async def test_the_largest_snapshot_is_a_payload_that_receivers_take(receiver, provider):
    error = JobError(ErrorReason.RETRIES_EXHAUSTED, "E" * 300, '"\\\x01ü€\N{PILE OF POO}' * 5_000)
    job = ended_job(error=error, context={"user_id": "€" * 500}, queue="q" * 200, job_type="t" * 100)
    await provider.send(a_webhook(receiver, event=JobEvent.FAILURE, snapshot=snapshot_of(job)))
    [request] = receiver.received
    assert len(request.body) < 20_000
    assert b'": ' not in request.body.partition(b'"error"')[0], "minified"
    assert verified(request, SECRET)["data"]["error"]["message"].startswith('"\\\x01ü€')


D, G, T = Verdict.DELIVERED, Verdict.GONE, Verdict.TRANSIENT


@pytest.mark.parametrize(
    ("reply", "verdict", "error_type"),
    [
        (Reply(204), D, None),
        (Reply(410), G, "gone"),
        (Reply(410, headers={"webhook-delivery": "abort-message"}), G, "gone"),
        (Reply(400, headers={"webhook-delivery": "abort-message"}), Verdict.PERMANENT, "aborted"),
        (Reply(400, headers={"webhook-delivery": "please"}), T, "refused"),
    ],
)
async def test_a_receiver_may_end_it(receiver, provider, reply, verdict, error_type):
    receiver.replies.append(reply)
    attempt = await provider.send(a_webhook(receiver))
    assert (attempt.verdict, attempt.error_type) == (verdict, error_type)


@pytest.mark.parametrize(
    ("status", "is_of_url"), [(401, True), (404, True), (302, True), (408, False), (429, False), (500, False)]
)
async def test_what_one_url_answers_is_not_held_against_its_host_but_against_an_endpoint(receiver, status, is_of_url):
    """Behind one host may be the receivers of many; an endpoint is a destination of its own."""
    provider = WebhookProvider(
        WebhookConfiguration(signing_secret=SECRET, allow_cidrs=LOOPBACK), endpoints=At(receiver.url)
    )
    receiver.replies += [Reply(status)] * 2
    of_url = await provider.send(a_webhook(receiver))
    of_endpoint = await provider.send(a_message(recipient="endpoint:crm"))
    await provider.aclose()
    assert (of_url.verdict, of_url.spares_destination) == (T, is_of_url)
    assert (of_endpoint.verdict, of_endpoint.spares_destination) == (T, False)


async def test_where_nobody_may_be_sent_is_not_tried_again(receiver):
    provider = a_provider(allow_cidrs=())
    attempt = await provider.send(a_webhook(receiver))
    await provider.aclose()
    assert (attempt.verdict, attempt.error_type) == (Verdict.PERMANENT, "address_refused")
    assert "WEBHOOK_ALLOW_CIDRS" in (attempt.message or "")
    assert receiver.connections == 0


async def test_the_doctor_is_told_how_webhooks_are_signed_and_what_they_reach(provider):
    [finding] = await provider.check()
    assert (finding.level, "127.0.0.0/8" in finding.found, SECRET in finding.found) == (Level.OK, True, False)
    [finding] = await a_provider(signing_secret=None).check()
    assert (finding.level, "WEBHOOK_SIGNING_SECRET" in finding.found) == (Level.OK, True), "no fault"


@pytest.mark.parametrize(
    ("declared", "event", "evaluation"),
    [
        ({"url": URL}, JobEvent.SUCCESS, Recipients((URL,))),
        ({}, JobEvent.SUCCESS, Skip(SkipReason.NO_RECIPIENT)),
        ({"url": None}, JobEvent.FAILURE, Skip(SkipReason.NO_RECIPIENT)),
    ],
)
def test_who_is_told(provider, declared, event, evaluation):
    assert provider.evaluate(ended_job(notifications={"webhook": declared}), event) == evaluation


@pytest.mark.parametrize(
    ("declared", "field"),
    [
        ({"url": "hooks.example.com"}, "notifications.webhook.url"),
        ({"url": "https://a:b@hooks.example.com"}, "notifications.webhook.url"),
        ({"url": 7}, "notifications.webhook.url"),
        ({"to": URL}, "notifications.webhook.to"),
    ],
)
def test_what_may_not_be_declared(provider, declared, field):
    [problem] = ProviderRegistry([provider]).validate_declaration({"webhook": declared})
    assert problem.field == field
    assert str(declared.get("url", "-")) not in problem.message


def test_receivers_of_one_host_stand_and_fall_together(provider):
    assert provider.destination("https://Hooks.example.com:8443/a?key=1") == "hooks.example.com:8443"


@pytest.mark.parametrize(
    "secret", ["sekret", "whsec_A", "whsec_c2hvcnQ=", "whsec_*", f"{SECRET},whsec_c2hvcnQ=", "MTIz" * 8]
)
def test_a_secret_that_is_none_is_refused_at_the_start_and_not_repeated(secret):
    with pytest.raises(ConfigurationError, match="WEBHOOK_SIGNING_SECRET") as refused:
        a_provider(signing_secret=secret)
    assert secret not in str(refused.value)


def test_no_secret_is_shown(provider):
    configuration = WebhookConfiguration(signing_secret=SECRET)
    assert "MDEy" not in repr((configuration, configuration.secrets, provider))


class At:
    """Every endpoint is here."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def resolve(self, _name: str) -> Target:
        return Target(self._url, (SECRET,))


class Unreachable:
    """Endpoints of a database that is away."""

    async def resolve(self, _name: str) -> None:
        raise Unavailable("away")


def test_a_job_names_a_url_or_an_endpoint(provider):
    job = ended_job(notifications={"webhook": {"endpoint": "crm"}})
    assert provider.evaluate(job, JobEvent.SUCCESS) == Recipients(("endpoint:crm",))
    assert provider.destination("endpoint:crm") == "endpoint:crm"
    [problem] = ProviderRegistry([provider]).validate_declaration({"webhook": {"endpoint": "crm", "url": URL}})
    assert (problem.field, problem.code) == ("notifications.webhook", "value_error")


async def test_an_endpoint_needs_no_secret_of_the_platform_and_waits_for_its_database():
    provider = WebhookProvider(WebhookConfiguration(), endpoints=Unreachable())
    assert (provider.missing_for("endpoint:crm"), provider.missing_for(URL)) == ([], ["WEBHOOK_SIGNING_SECRET"])
    attempt = await provider.send(a_message(recipient="endpoint:crm"))
    assert (attempt.verdict, attempt.error_type) == (Verdict.TRANSIENT, "endpoint_unknown")
    await provider.aclose()
