"""What the clients know: which submissions were accepted, which refused, and of which nobody can say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Answer(StrEnum):
    """What came back for a submission."""

    ACCEPTED = "accepted"
    """201: the job is the platform's from now on."""
    REFUSED = "refused"
    """Surely not stored: nobody was reached, or the request was at fault."""
    AMBIGUOUS = "ambiguous"
    """Sent, and then an error or nothing: stored or not."""


class Plan(StrEnum):
    """What a submitted job is to go through."""

    PLAIN = "plain"
    FLAKY = "flaky"
    """Fails a few attempts, then succeeds."""
    FATAL = "fatal"
    """Fails for good at its first chance."""
    HOPELESS = "hopeless"
    """Fails every attempt it has."""
    SLEEPER = "sleeper"
    """Asks to be run again later."""
    FRAGILE = "fragile"
    """Has one attempt: a fault ends it."""
    CANCELLED = "cancelled"
    """Somebody asks to cancel it, at some time."""


ENDS = {
    Plan.PLAIN: frozenset({"SUCCEEDED"}),
    Plan.FLAKY: frozenset({"SUCCEEDED"}),
    Plan.FATAL: frozenset({"FAILED"}),
    Plan.HOPELESS: frozenset({"FAILED"}),
    Plan.SLEEPER: frozenset({"SUCCEEDED"}),
    Plan.FRAGILE: frozenset({"SUCCEEDED", "FAILED"}),
    Plan.CANCELLED: frozenset({"SUCCEEDED", "CANCELLED"}),
}
"""How a job of each plan may end, whatever the faults."""


@dataclass(slots=True)
class Submission:
    """One request to store a job; ``number`` is in its payload."""

    number: int
    plan: Plan
    tells: bool
    answer: Answer = Answer.AMBIGUOUS
    job_id: UUID | None = None


@dataclass(slots=True)
class History:
    """Everything that clients sent, by number. ``broken`` counts answers that no fault excuses (500)."""

    submissions: dict[int, Submission] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def counts(self) -> Counter[Answer]:
        return Counter(one.answer for one in self.submissions.values())
