"""Who gets a mail, whichever provider carries it."""

import pytest
from tests.core.notifications.jobs import ended_job

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.base import Recipients, Skip
from perdure.core.notifications.providers.email_channel import evaluate_email
from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.core.notifications.providers.registry import BUILTIN_CHANNELS
from perdure.core.notifications.providers.smtp import SmtpConfiguration, SmtpEmailProvider
from perdure.models.delivery import SkipReason


@pytest.mark.parametrize(
    ("notifications", "context", "event", "expected"),
    [
        ({"email": {}}, {"email": "a@example.com"}, JobEvent.SUCCESS, Recipients(("a@example.com",))),
        ({"email": {}}, {"email": "a@example.com"}, JobEvent.FAILURE, Recipients(("a@example.com",))),
        ({"email": {"enabled": None, "on": None}}, {"email": "a@b.test"}, JobEvent.SUCCESS, Recipients(("a@b.test",))),
        ({"email": {"on": ["FAILURE"] * 3}}, {"email": "a@b.test"}, JobEvent.FAILURE, Recipients(("a@b.test",))),
        ({"email": {"enabled": False, "on": []}}, None, JobEvent.SUCCESS, Skip(SkipReason.CHANNEL_DISABLED)),
        ({"email": {"on": []}}, None, JobEvent.SUCCESS, Skip(SkipReason.EVENT_NOT_SELECTED)),
        ({"email": {"on": ["SUCCESS"]}}, {"email": 5}, JobEvent.FAILURE, Skip(SkipReason.EVENT_NOT_SELECTED)),
        ({"email": {}}, {"email": "a@example.com"}, JobEvent.CANCELLED, Skip(SkipReason.EVENT_NOT_SELECTED)),
        ({"email": {}}, None, JobEvent.SUCCESS, Skip(SkipReason.NO_RECIPIENT)),
        ({"email": {}}, {}, JobEvent.SUCCESS, Skip(SkipReason.NO_RECIPIENT)),
        ({"email": {}}, {"email": None}, JobEvent.SUCCESS, Skip(SkipReason.NO_RECIPIENT)),
        ({"email": {}}, {"email": 5}, JobEvent.SUCCESS, Skip(SkipReason.INVALID_RECIPIENT)),
        ({"email": {}}, {"email": ""}, JobEvent.SUCCESS, Skip(SkipReason.INVALID_RECIPIENT)),
        ({"email": {}}, {"email": "nobody"}, JobEvent.SUCCESS, Skip(SkipReason.INVALID_RECIPIENT)),
    ],
)
def test_who_is_told_and_why_not(notifications, context, event, expected):
    assert evaluate_email(ended_job(notifications=notifications, context=context), event) == expected


@pytest.mark.parametrize(
    ("context", "options", "addresses"),
    [
        (None, {"to": ["b@example.com"]}, ["b@example.com"]),
        ({"email": None}, {"cc": ["b@example.com"]}, ["b@example.com"]),
        (
            {"email": "a@example.com"},
            {"to": ["c@example.com", "b@example.com"], "cc": ["d@example.com"]},
            ["a@example.com", "c@example.com", "b@example.com", "d@example.com"],
        ),
        (
            {"email": "Ada@Example.com"},
            {"to": ["ada@example.com", "b@example.com"], "cc": ["B@EXAMPLE.COM"]},
            ["Ada@Example.com", "b@example.com"],
        ),
        (None, {"to": ["a@bücher.example", "a@xn--bcher-kva.example"]}, ["a@bücher.example"]),
        ({"email": "nobody"}, {"to": ["b@example.com"]}, ["b@example.com"]),
        ({"email": "a@example.com"}, {"to": [], "cc": None}, ["a@example.com"]),
    ],
)
def test_everybody_named_is_told_once(context, options, addresses):
    job = ended_job(notifications={"email": options}, context=context)
    assert evaluate_email(job, JobEvent.SUCCESS) == Recipients(tuple(addresses))


def test_both_providers_tell_the_same():
    job = ended_job(notifications={"email": {"to": ["b@example.com"]}})
    mailtrap = MailtrapEmailProvider(MailtrapConfiguration())
    smtp = SmtpEmailProvider(SmtpConfiguration(url="smtp://localhost", from_email="a@b.example", from_name="Jobs"))
    for event in JobEvent:
        assert mailtrap.evaluate(job, event) == smtp.evaluate(job, event)


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"to": ["a@example.com"] * 50, "cc": ["a@example.com"] * 50}, []),
        ({"to": ["a@example.com"] * 51}, ["to"]),
        ({"to": "a@example.com"}, ["to"]),
        ({"cc": ["a@example.com", "Ada <a@example.com>"]}, ["cc[1]"]),
        ({"to": ["nobody", 5, None]}, ["to[0]", "to[1]", "to[2]"]),
        ({"bcc": ["a@example.com"]}, ["bcc"]),
    ],
)
def test_what_may_be_declared(options, fields):
    problems = BUILTIN_CHANNELS.validate_declaration({"email": options})
    assert [problem.field for problem in problems] == [f"notifications.email.{field}" for field in fields]
    assert not any("example.com" in problem.message for problem in problems if problem.code != "value_error")
