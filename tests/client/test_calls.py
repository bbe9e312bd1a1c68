"""Calls are values: what would be asked, with nothing asked."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.client import calls, operator_calls
from perdure.client.calls import Call
from perdure.schemas.job_filter import JobFilterShape

JOB = "01980000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (calls.submit({"job_type": "demo.sleep"}), Call("POST", "/v1/jobs", json={"job_type": "demo.sleep"})),
        (
            calls.submit({"job_type": "demo.sleep"}, "k"),
            Call("POST", "/v1/jobs", json={"job_type": "demo.sleep"}, idempotency_key="k"),
        ),
        (calls.preview({"job_type": "t"}), Call("POST", "/v1/jobs", {"dry_run": True}, json={"job_type": "t"})),
        (calls.submit_many(), Call("POST", "/v1/jobs/bulk")),
        (calls.get_job(UUID(JOB)), Call("GET", f"/v1/jobs/{JOB}")),
        (calls.job_events(JOB), Call("GET", f"/v1/jobs/{JOB}/events")),
        (calls.job_deliveries(JOB), Call("GET", f"/v1/jobs/{JOB}/deliveries")),
        (calls.job_files(JOB), Call("GET", f"/v1/jobs/{JOB}/files")),
        (calls.job_log(JOB, 7), Call("GET", f"/v1/jobs/{JOB}/log", {"after": 7, "limit": 200})),
        (calls.explain_job(JOB), Call("GET", f"/v1/jobs/{JOB}/explain")),
        (calls.wait_for_job(JOB, 7), Call("GET", f"/v1/jobs/{JOB}/wait", {"timeout_seconds": 7}, wait_seconds=7)),
        (calls.cancel_job(JOB), Call("POST", f"/v1/jobs/{JOB}/cancel")),
        (calls.retry_job(JOB), Call("POST", f"/v1/jobs/{JOB}/retry")),
        (calls.retry_job(JOB, tags=[]), Call("POST", f"/v1/jobs/{JOB}/retry", json={"tags": []})),
        (
            calls.preview_action("retry", {"status": ["FAILED"], "queue": None}),
            Call(
                "POST",
                "/v1/jobs/actions",
                {"dry_run": True},
                json={"action": "retry", "filter": {"status": ["FAILED"]}},
            ),
        ),
        (
            calls.start_action("cancel", {}, everything=True, reason="why"),
            Call("POST", "/v1/jobs/actions", json={"action": "cancel", "filter": {}, "all": True, "reason": "why"}),
        ),
        (calls.get_action(JOB), Call("GET", f"/v1/jobs/actions/{JOB}")),
        (calls.list_actions(limit=2), Call("GET", "/v1/jobs/actions", {"limit": 2})),
        (calls.stop_action(JOB), Call("POST", f"/v1/jobs/actions/{JOB}/stop")),
        (
            calls.list_deliveries(status=["SENT"], limit=2),
            Call("GET", "/v1/deliveries", {"status": ["SENT"], "limit": 2}),
        ),
        (
            calls.list_deliveries(recipient="a@b.co", event=None),
            Call("GET", "/v1/deliveries", {"recipient": "a@b.co", "limit": 50}),
        ),
        (
            calls.resend_deliveries({"status": ["FAILED"], "provider": None}, dry_run=True),
            Call("POST", "/v1/deliveries/resend", {"dry_run": True}, json={"filter": {"status": ["FAILED"]}}),
        ),
        (calls.cancel_delivery(JOB), Call("POST", f"/v1/deliveries/{JOB}/cancel")),
        (calls.get_delivery(JOB), Call("GET", f"/v1/deliveries/{JOB}")),
        (calls.resend_delivery(JOB, "k"), Call("POST", f"/v1/deliveries/{JOB}/resend", idempotency_key="k")),
        (calls.list_suppressions(limit=2), Call("GET", "/v1/suppressions", {"limit": 2})),
        (
            calls.add_suppressions(["a@b.cc"], note="x"),
            Call("POST", "/v1/suppressions", json={"addresses": ["a@b.cc"], "reason": "manual", "note": "x"}),
        ),
        (calls.remove_suppression("a@b.cc"), Call("DELETE", "/v1/suppressions", {"address": "a@b.cc"})),
        (operator_calls.list_subscriptions(), Call("GET", "/v1/subscriptions")),
        (operator_calls.get_subscription("ops"), Call("GET", "/v1/subscriptions/ops")),
        (
            operator_calls.set_subscription("a/b", {"events": []}),
            Call("PUT", "/v1/subscriptions/a%2Fb", json={"events": []}),
        ),
        (operator_calls.delete_subscription("ops"), Call("DELETE", "/v1/subscriptions/ops")),
        (operator_calls.list_endpoints(), Call("GET", "/v1/webhook-endpoints")),
        (operator_calls.get_endpoint("a/b"), Call("GET", "/v1/webhook-endpoints/a%2Fb")),
        (operator_calls.set_endpoint("e", "u"), Call("PUT", "/v1/webhook-endpoints/e", json={"url": "u"})),
        (operator_calls.rotate_endpoint("e"), Call("POST", "/v1/webhook-endpoints/e/rotate")),
        (operator_calls.disable_endpoint("e"), Call("POST", "/v1/webhook-endpoints/e/disable")),
        (operator_calls.enable_endpoint("e"), Call("POST", "/v1/webhook-endpoints/e/enable")),
        (
            operator_calls.recover_endpoint("e", "t"),
            Call("POST", "/v1/webhook-endpoints/e/recover", json={"since": "t"}),
        ),
        (operator_calls.call_endpoint("e"), Call("POST", "/v1/webhook-endpoints/e/test")),
        (operator_calls.remove_endpoint("e"), Call("DELETE", "/v1/webhook-endpoints/e")),
        (calls.providers(), Call("GET", "/v1/providers")),
        (calls.resume_provider("mailtrap"), Call("POST", "/v1/providers/mailtrap/resume")),
        (
            calls.preview_message(event="FAILURE", job_type=None),
            Call("GET", "/v1/notifications/preview", {"event": "FAILURE"}),
        ),
        (calls.upload_file("a b.csv"), Call("POST", "/v1/files", {"name": "a b.csv"})),
        (calls.download_file(JOB), Call("GET", f"/v1/files/{JOB}")),
        (calls.delete_file(JOB), Call("DELETE", f"/v1/files/{JOB}")),
        (calls.list_schedules(), Call("GET", "/v1/schedules")),
        (calls.get_schedule("a b"), Call("GET", "/v1/schedules/a%20b")),
        (
            calls.set_schedule("n", {"expression": "@daily"}, dry_run=True),
            Call("PUT", "/v1/schedules/n", {"dry_run": True}, json={"expression": "@daily"}),
        ),
        (calls.delete_schedule("n"), Call("DELETE", "/v1/schedules/n")),
        (calls.job_types(), Call("GET", "/v1/job-types")),
        (calls.queues(), Call("GET", "/v1/queues")),
        (calls.statistics(), Call("GET", "/v1/stats")),
        (
            calls.history(start="2030-01-31T12:00:00Z", step=60, queue=None),
            Call("GET", "/v1/stats/history", {"from": "2030-01-31T12:00:00Z", "step": 60}),
        ),
        (
            calls.stream(event=["FAILURE"], job_id=JOB, queue=None),
            Call("GET", "/v1/stream", {"event": ["FAILURE"], "job_id": JOB}),
        ),
        (calls.inbox(3), Call("GET", "/v1/inbox", {"limit": 3})),
        (calls.health(), Call("GET", "/readyz")),
    ],
)
def test_each_call_asks_its_route(call, wanted):
    assert call == wanted


def test_filters_left_out_are_not_sent():
    """The server refuses unknown parameters, and an empty one is not the same as none."""
    call = calls.list_jobs(job_type="demo.sleep", queue=None, created_after=None)
    assert call == Call("GET", "/v1/jobs", {"limit": 50, "job_type": "demo.sleep"})


def test_the_clients_filters_are_those_of_the_list():
    documented = calls.list_jobs.__doc__ or ""
    assert set(JobFilterShape.model_fields) <= {"status", *re.findall(r"\w+", documented)}


@given(st.text(min_size=1))
def test_an_identifier_never_leaves_its_place_in_the_path(identifier):
    try:
        identifier.encode()
    except UnicodeEncodeError:  # no identifier, and no text that could be sent
        return
    path = calls.get_job(identifier).path
    assert path.startswith("/v1/jobs/")
    assert not set(path.removeprefix("/v1/jobs/")) & set("/?#")
