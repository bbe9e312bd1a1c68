"""``http.request``: calls a URL that whoever submitted the job has chosen.

So it goes where a webhook may go and nowhere else (``outbound.guard``), each redirect judged anew. What is sent twice,
since an attempt may be lost after its request, carries the same ``Idempotency-Key``.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from perdure.outbound.addresses import Networks
from perdure.outbound.http_send import Answer, HttpSender, NoAnswer
from perdure.outbound.transport import GuardedTransport
from perdure.processors.base import JobContext, Processor, processor
from perdure.processors.http_exchange import OutgoingRequest, RequestFailed, body_of, excerpt, refusal, silence
from perdure.schemas.urls import Url

MAX_BODY_BYTES = 131_072
"""So much of an answer is kept; escaped in the worst way, it still is a result that fits."""
MAX_HEADERS = 50
MAX_HEADER = 1_000

_SET_BY_US = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)

HeaderName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\t\x20-\x7e]*$", max_length=4_000)]
StatusCode = Annotated[int, Field(ge=200, le=599)]


class HttpRequest(BaseModel):
    """What to send, and which answers count as success."""

    model_config = ConfigDict(extra="forbid")

    url: Url = Field(description="https; http only to networks that the operator allows (WEBHOOK_ALLOW_CIDRS)")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[HeaderName, HeaderValue] = Field({}, max_length=MAX_HEADERS)
    body: Any = Field(None, description="a string is sent as it is, anything else as JSON; null: nothing")
    expect: list[StatusCode] | None = Field(
        None, min_length=1, max_length=50, description="status codes that are a success; left out: 200 to 299"
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = Field(
        30.0, description="for a request and its whole answer; each redirect has as long again"
    )
    max_redirects: Annotated[int, Field(ge=0, le=10)] = Field(0, description="so many are followed")

    @field_validator("headers")
    @classmethod
    def _none_of_ours(cls, headers: dict[str, str]) -> dict[str, str]:
        names = [name.lower() for name in headers]
        if len(set(names)) < len(names):
            raise ValueError("names a header twice")
        if not _SET_BY_US.isdisjoint(names):
            raise ValueError(f"these are set by the platform: {', '.join(sorted(_SET_BY_US))}")
        return headers


class HttpResult(BaseModel):
    """The answer."""

    status_code: int
    headers: dict[str, str] = Field(description=f"in lower case; at most {MAX_HEADERS}, each cut at {MAX_HEADER:,}")
    body: Any = Field(description="what it is as JSON, if it says that it is; else as text, read as UTF-8")
    truncated: bool = Field(description=f"whether the body is cut, at {MAX_BODY_BYTES:,} bytes")
    url: str = Field(description="which URL answered; another one after redirects")


def http_request(inside: Networks = ()) -> Processor:
    """The processor, for one that may also reach the networks ``inside``."""

    @processor("http.request")
    async def request(payload: HttpRequest, ctx: JobContext) -> HttpResult:
        """Calls a URL and keeps the answer.

        It fails for good where the server refuses the request (4xx) or the URL leads to where nobody may be sent from
        here; it is tried again after a 408, 425, 429, a 5xx, or no answer, and waits as long as `Retry-After` asks,
        at most an hour. POST, PUT, PATCH and DELETE carry the job's id as `Idempotency-Key`.
        """
        transport = GuardedTransport(inside)
        sender = HttpSender(payload.timeout_seconds, transport, max_answer_bytes=MAX_BODY_BYTES)
        try:
            return await _call(_first_request(payload, ctx), payload, ctx, sender)
        finally:
            await sender.aclose()

    return request


async def _call(request: OutgoingRequest, payload: HttpRequest, ctx: JobContext, sender: HttpSender) -> HttpResult:
    redirects_left = payload.max_redirects
    while True:
        answer = await sender.request(request.method, request.url, request.headers, request.content)
        if isinstance(answer, NoAnswer):
            raise silence(answer)
        if _counts(answer, payload.expect):
            return _result(answer, request)
        following = request.redirected(answer)
        if following is None or not redirects_left:
            ctx.log(f"answered {answer.status_code}: {excerpt(answer)}", level="warning")
            raise refusal(answer, leads_on=following is not None)
        request = following
        redirects_left -= 1


def _first_request(payload: HttpRequest, ctx: JobContext) -> OutgoingRequest:
    """What is asked for, with the headers of ours where it leaves room for them."""
    ours = {}
    content = b""
    if payload.body is not None:
        is_text = isinstance(payload.body, str)
        ours["Content-Type"] = "text/plain; charset=utf-8" if is_text else "application/json"
        content = (payload.body if is_text else json.dumps(payload.body, ensure_ascii=False)).encode()
    if payload.method not in ("GET", "HEAD"):
        ours["Idempotency-Key"] = str(ctx.job_id)
    given = {name.lower() for name in payload.headers}
    headers = {name: value for name, value in ours.items() if name.lower() not in given} | payload.headers
    return OutgoingRequest(payload.method, payload.url, headers, content)


def _counts(answer: Answer, expected: list[int] | None) -> bool:
    return 200 <= answer.status_code < 300 if expected is None else answer.status_code in expected


def _result(answer: Answer, request: OutgoingRequest) -> HttpResult:
    truncated = len(answer.body) >= MAX_BODY_BYTES
    if not (answer.whole or truncated):
        raise RequestFailed(f"The server answered {answer.status_code}, and the answer broke off before its end")
    return HttpResult(
        status_code=answer.status_code,
        headers={name.lower(): value[:MAX_HEADER] for name, value in list(answer.headers.items())[:MAX_HEADERS]},
        body=body_of(answer),
        truncated=truncated,
        url=request.url,
    )
