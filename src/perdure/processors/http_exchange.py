"""What an answer to ``http.request`` means: another request, a result, or an error that says whether to try again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from perdure.errors import MalformedJSON
from perdure.models.outcome import storable
from perdure.outbound.http_send import Answer, NoAnswer, retry_after_seconds
from perdure.processors.base import NotRetryable, RetryAfter
from perdure.schemas import strict_json
from perdure.schemas.urls import check_url

MAX_EXCERPT = 300
LONGEST_RETRY_AFTER_SECONDS = 3_600.0

_ELSEWHERE_TOO = frozenset({"accept", "accept-language", "content-type", "idempotency-key", "user-agent"})
"""The headers that follow a redirect to another place; any other may be a key."""
_LEADS_ON = frozenset({301, 302, 303, 307, 308})
_TRY_LATER = frozenset({408, 425, 429})


class RequestFailed(Exception):
    """The request came to nothing that counts as success, and may do better another time."""


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    method: str
    url: str
    headers: dict[str, str]
    content: bytes

    def redirected(self, answer: Answer) -> OutgoingRequest | None:
        """The request that ``answer`` leads on to, as browsers would make it; None where it leads nowhere."""
        location = answer.headers.get("location")
        if answer.status_code not in _LEADS_ON or location is None:
            return None
        following = replace(self, url=_target(self.url, location))
        if urlsplit(self.url)[:2] != urlsplit(following.url)[:2]:
            following = following.with_headers(lambda name: name in _ELSEWHERE_TOO)
        if self.method != "HEAD" and (
            answer.status_code == 303 or (self.method == "POST" and answer.status_code in (301, 302))
        ):
            following = replace(following, method="GET", content=b"")
            following = following.with_headers(lambda name: name not in ("content-type", "idempotency-key"))
        return following

    def with_headers(self, keep: Callable[[str], bool]) -> OutgoingRequest:
        """The same with those headers alone whose name, in lower case, is to be kept."""
        return replace(self, headers={name: value for name, value in self.headers.items() if keep(name.lower())})


def body_of(answer: Answer) -> Any:
    """The answer's body as JSON, where it says that it is and all of it can be kept exactly; else as text."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if answer.whole and (kind == "application/json" or kind.endswith("+json")):
        try:
            return strict_json.decode(answer.body)
        except MalformedJSON:
            pass  # as text, then
    return storable(answer.body.decode("utf-8", "replace"))


def excerpt(answer: Answer) -> str:
    """The beginning of the answer, on one line."""
    text = " ".join(answer.body.decode("utf-8", "replace").split())
    return storable(text)[:MAX_EXCERPT] or "(nothing)"


def silence(no_answer: NoAnswer) -> Exception:
    """What to raise where no answer came."""
    if no_answer.cause in ("address_refused", "unsendable"):
        return NotRetryable(f"Not sent: {no_answer.explanation}")
    doubt = "it may have been received" if no_answer.left else "nothing was sent"
    return RequestFailed(f"{no_answer.explanation}; {doubt}")


def refusal(answer: Answer, *, leads_on: bool) -> Exception:
    """What to raise for an answer that is no success. Its words are not repeated: errors go into mails."""
    said = f"The server answered {answer.status_code}"
    if answer.status_code not in _TRY_LATER and answer.status_code < 500:
        return NotRetryable(f"{said}, a redirect beyond max_redirects" if leads_on else said)
    seconds = retry_after_seconds(answer.headers)
    if seconds is None:
        return RequestFailed(said)
    return RetryAfter(min(seconds, LONGEST_RETRY_AFTER_SECONDS), said)


def _target(url: str, location: str) -> str:
    try:
        return check_url(urldefrag(urljoin(url, location)).url)
    except ValueError:
        raise NotRetryable("The server redirects to what is no URL that can be called") from None
