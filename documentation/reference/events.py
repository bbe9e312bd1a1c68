"""The page of states, events and reasons: every value that a job's or a delivery's record can show."""

from __future__ import annotations

from documentation.markdown import code, page, table
from documentation.members import members_table
from perdure.core.notifications.events import TOLD_BY_DEFAULT, JobEvent
from perdure.models.api_key import Scope
from perdure.models.delivery import CancelReason, DeliveryStatus, FailureReason, SkipReason, Verdict
from perdure.models.explanation import ReasonCode
from perdure.models.job_action import ActionSkipReason, ActionStatus
from perdure.models.lifecycle import TRANSITIONS, JobStatus, TimelineEvent
from perdure.models.outcome import ErrorReason


def render() -> str:
    told = ", ".join(code(event.value) for event in JobEvent if event in TOLD_BY_DEFAULT)
    moves = [[code(before), code(after), code(event)] for (before, after), event in TRANSITIONS.items()]
    return page(
        "States, events and reasons",
        "## States of a job",
        members_table(JobStatus, "`status`"),
        "## The timeline",
        "`GET /v1/jobs/{id}/events` tells every step:",
        members_table(TimelineEvent, "`event`"),
        "These are all the moves there are:",
        table(["from", "to", "event"], moves),
        "## Why a job stands where it stands",
        "The reasons of `GET /v1/jobs/{id}/explain`; there may be more of them:",
        members_table(ReasonCode, "`code`"),
        "## Why an attempt failed",
        members_table(ErrorReason, "`error.reason`"),
        "## Events that can be told",
        f"What a channel may list in `on`. Left out, it means {told}.",
        members_table(JobEvent, "event"),
        "## States of a delivery",
        members_table(DeliveryStatus, "`status`"),
        "## Why nobody was told",
        "The `reason` of a `SKIPPED` delivery:",
        members_table(SkipReason, "`reason`"),
        "The `reason` of a `FAILED` one:",
        members_table(FailureReason, "`reason`"),
        "The `reason` of a `CANCELLED` one:",
        members_table(CancelReason, "`reason`"),
        "## What a try came to",
        members_table(Verdict, "`verdict`"),
        "## States of an action",
        members_table(ActionStatus, "`status`"),
        "Why it left a job that matched as it was, in `skipped`:",
        members_table(ActionSkipReason, "reason"),
        "## Scopes of a key",
        members_table(Scope, "scope"),
    )
