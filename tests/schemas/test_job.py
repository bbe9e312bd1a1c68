"""The shape of a submitted job: what is accepted is kept as sent, what is refused is named."""

import pytest
from pydantic import ValidationError

from perdure.schemas.job import JobCreate

CONTRACT_EXAMPLE = {
    "job_type": "csv.profile",
    "payload": {},
    "queue": "default",
    "priority": 0,
    "run_at": None,
    "delay_seconds": None,
    "expires_at": None,
    "max_retries": None,
    "timeout_seconds": None,
    "unique_key": None,
    "concurrency_key": None,
    "retry": None,
    "tags": [],
    "context": {"user_id": "string", "email": "user@example.com"},
    "notifications": {"email": {"enabled": True, "on": ["SUCCESS", "FAILURE"]}},
}


def test_the_contracts_example_is_accepted():
    sent = JobCreate.model_validate(CONTRACT_EXAMPLE)
    assert sent.context == CONTRACT_EXAMPLE["context"]
    assert sent.notifications == CONTRACT_EXAMPLE["notifications"]


def test_only_the_job_type_is_required():
    sent = JobCreate.model_validate({"job_type": "t"})
    assert (sent.context, sent.notifications, sent.payload) == (None, None, None)


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"email": None},
        {"user_id": None, "email": None},
        {"email": "USER@Example.COM"},
        {"email": "a@localhost"},
        {"email": "a@host.test", "team": {"deep": [1, {"x": None}]}},
        {"note": "no address at all", "n": 1.5},
    ],
)
def test_context_is_kept_exactly_as_sent(context):
    assert JobCreate.model_validate({"job_type": "t", "context": context}).context == context


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context.email", "string"),
        ("context.email", "Ada <ada@example.com>"),
        ("context.email", " ada@example.com"),
        ("context.email", "ada@example.com, bob@example.com"),
        ("context.email", "ada@example.com\nBcc: x@example.com"),
        ("context.email", 5),
        ("context.user_id", 5),
    ],
)
def test_a_wrong_context_is_named_and_not_echoed(field, value):
    with pytest.raises(ValidationError) as caught:
        JobCreate.model_validate({"job_type": "t", "context": {field.removeprefix("context."): value}})
    [problem] = caught.value.errors(include_input=False)
    assert ".".join(map(str, problem["loc"])) == field
    assert "ada" not in problem["msg"].lower()


@pytest.mark.parametrize(
    "changes",
    [
        {"job_type": ""},
        {"job_type": "with space"},
        {"job_type": None},
        {"job_type": 5},
        {"job_type": "x" * 101},
        {"queue": "a\x00b"},
        {"priority": 101},
        {"priority": -101},
        {"priority": 1.5},
        {"priority": True},
        {"priority": "1"},
        {"max_retries": -1},
        {"max_retries": 1001},
        {"timeout_seconds": 0},
        {"timeout_seconds": "60"},
        {"timeout_seconds": 1e12},
        {"delay_seconds": -1},
        {"run_at": "2030-01-01T00:00:00"},
        {"run_at": 1893456000},
        {"run_at": "0001-01-01T00:00:00+14:00"},
        {"run_at": "2030-01-01T00:00:00Z", "delay_seconds": 1},
        {"retry": {"base_seconds": 0}},
        {"retry": {"unknown": 1}},
        {"tags": ["a"] * 21},
        {"tags": "a"},
        {"expires_at": "2030-01-01T00:00:00"},
        {"unique_key": "k" * 201},
        {"concurrency_key": ""},
        {"notifications": []},
        {"notifications": {"email": True}},
        {"context": []},
        {"unknown": 1},
    ],
)
def test_what_is_not_the_shape_is_refused(changes):
    with pytest.raises(ValidationError):
        JobCreate.model_validate({"job_type": "t"} | changes)
