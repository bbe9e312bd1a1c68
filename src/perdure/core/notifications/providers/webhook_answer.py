"""What a receiver's answer to a webhook means: the one place that turns it into an ``Attempt``.

A 2xx is the receipt, whatever is in its body. A 410 ends it: the place is no more. Everything else is tried again by
the schedule, as Standard Webhooks asks: a 404 or 401 of somebody's server is a release under way as often as not, and
what is wrong with one receiver must not stop the others, as the verdict MISCONFIGURED would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from perdure.core.notifications.providers.http_answer import attempt_of, judge_silence
from perdure.models.delivery import Attempt, Verdict
from perdure.outbound.http_send import Answer, NoAnswer

ABORT_HEADER = "webhook-delivery"
ABORT = "abort-message"
"""With this header a receiver says that it wants this message no more, as with Svix."""

_UNSENT: Mapping[str, Verdict] = {
    "address_refused": Verdict.PERMANENT,
    "unsendable": Verdict.PERMANENT,
    "certificate_refused": Verdict.TRANSIENT,
}
"""What keeps a webhook from being sent is a matter of its URL, and not of our set-up."""
_ERROR_TYPES = {429: "rate_limited", 408: "try_later", 425: "try_later"}
_OF_URL = frozenset({"refused", "redirected"})


def judge_answer(answer: Answer | NoAnswer, secrets: tuple[str, ...]) -> Attempt:
    """The attempt that ``answer`` makes; ``secrets`` and addresses never reach it."""
    if isinstance(answer, NoAnswer):
        judged = judge_silence(answer)
        return replace(judged, verdict=_UNSENT.get(answer.cause, judged.verdict))
    if 200 <= answer.status_code < 300:
        return attempt_of(answer, Verdict.DELIVERED, secrets=secrets)
    verdict, error_type, message = _judge_refusal(answer)
    return attempt_of(answer, verdict, error_type, message, secrets=secrets)


def is_of_url(attempt: Attempt) -> bool:
    """Whether it failed for the sake of its URL, and not of the host: behind one host may be the receivers of many."""
    return attempt.error_type in _OF_URL


def _judge_refusal(answer: Answer) -> tuple[Verdict, str, str]:
    status_code = answer.status_code
    said = f"the receiver answered {status_code}"
    if status_code == 410:
        return Verdict.GONE, "gone", f"{said}: it is there no more"
    if answer.headers.get(ABORT_HEADER, "").strip().lower() == ABORT:
        return Verdict.PERMANENT, "aborted", f"{said}, and asks not to be told again"
    if 300 <= status_code < 400:
        return Verdict.TRANSIENT, "redirected", f"{said}: redirects are not followed, declare the URL it moved to"
    return Verdict.TRANSIENT, _ERROR_TYPES.get(status_code, "server_error" if status_code >= 500 else "refused"), said
