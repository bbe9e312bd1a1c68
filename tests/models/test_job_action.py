"""What an action makes of a job is what a single cancel or retry would, or a reason why not."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from perdure.models.job_action import ActionVerb, JobAction, skip_reason
from perdure.models.lifecycle import FINAL, JobStatus

AT = datetime(2030, 1, 1, tzinfo=UTC)
ACTION = JobAction(
    action_id=UUID(int=1),
    verb=ActionVerb.CANCEL,
    filter={},
    reason=None,
    requested_by="local",
    below=UUID(int=9),
    created_at=AT,
    advanced_at=AT,
)


@pytest.mark.parametrize("status", JobStatus)
def test_what_can_be_retried_cannot_be_cancelled_and_the_other_way_round(status):
    retried = skip_reason(ActionVerb.RETRY, status, cancel_requested=False)
    cancelled = skip_reason(ActionVerb.CANCEL, status, cancel_requested=False)
    assert (retried, cancelled) == ((None, "already_final") if status in FINAL else ("not_final", None))


def test_a_running_job_is_asked_to_stop_once():
    assert skip_reason(ActionVerb.CANCEL, JobStatus.RUNNING, cancel_requested=True) == "cancel_requested"


def test_batches_add_up():
    later = ACTION.advance(UUID(int=5), 3, {"not_final": 2}, AT).advance(UUID(int=2), 1, {"not_final": 1}, AT)
    assert (later.below, later.done, later.skipped) == (UUID(int=2), 4, {"not_final": 3})
    assert later.is_running
    assert not later.finish(AT).is_running
