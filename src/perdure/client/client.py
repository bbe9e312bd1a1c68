"""The two clients: ``Client`` for ordinary code, ``AsyncClient`` for asyncio. Answers are the API's JSON, decoded.

```python
with Client() as perdure:
    job = perdure.submit("demo.sleep", {"seconds": 1}, context={"email": "ada@example.com"})
    job = perdure.wait(job["job_id"])
```
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

import perdure
from perdure.client import calls
from perdure.client.calls import Call, Id
from perdure.client.errors import RequestRefused, ServerUnreachable

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_SECONDS = 30.0
WAIT_SECONDS = 20.0
"""The length of one long poll; ``wait`` strings them together."""
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
UPLOAD_BLOCK_BYTES = 262_144


def _options(url: str | None, api_key: str | None) -> dict[str, Any]:
    """Of both clients: where the server is, and the key, from the arguments or the environment."""
    key = api_key or os.environ.get("PERDURE_API_KEY")
    headers = {"User-Agent": f"perdure-client/{perdure.__version__}"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    base_url = url or os.environ.get("PERDURE_URL") or DEFAULT_URL
    on_this_machine = base_url.startswith(("http://127.", "http://localhost", "http://[::1]"))  # needs no proxy
    return {"base_url": base_url, "headers": headers, "timeout": TIMEOUT_SECONDS, "trust_env": not on_this_machine}


def _job(job_type: str, payload: Any, declared: dict[str, Any]) -> Call:
    return calls.submit({"job_type": job_type, "payload": payload} | declared)


def _request(call: Call) -> dict[str, Any]:
    body = {} if call.json is None else {"json": call.json}
    timeout = TIMEOUT_SECONDS + call.wait_seconds
    return {"method": call.method, "url": call.path, "params": call.params, "timeout": timeout} | body


def _answer(response: httpx2.Response) -> Any:
    if response.is_success:
        return response.json()
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    raise RequestRefused(response.status_code, problem if isinstance(problem, dict) else {})


@contextmanager
def _reaching(url: httpx2.URL) -> Iterator[None]:
    try:
        yield
    except httpx2.TransportError as error:
        raise ServerUnreachable(
            f"No server answers at {url} ({type(error).__name__}). Start one with `perdure dev`, or say where it is "
            "with PERDURE_URL or --url."
        ) from error


class Client:
    """Asks a server. ``url`` and ``api_key`` default to PERDURE_URL and PERDURE_API_KEY. Use it as a context manager.

    Raises ``RequestRefused`` for a problem document, ``ServerUnreachable`` when nobody answers.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None) -> None:
        self._http = httpx2.Client(**_options(url, api_key))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def call(self, call: Call) -> Any:
        """Carries out any of ``perdure.client.calls``."""
        with _reaching(self._http.base_url):
            return _answer(self._http.request(**_request(call)))

    def submit(self, job_type: str, payload: Any = None, **declared: Any) -> dict[str, Any]:
        """Submits a job; ``declared`` are the other fields of the API. Returns the job once it is committed."""
        job: dict[str, Any] = self.call(_job(job_type, payload, declared))
        return job

    def get(self, job_id: Id) -> dict[str, Any]:
        job: dict[str, Any] = self.call(calls.get_job(job_id))
        return job

    def wait(self, job_id: Id, timeout_seconds: float | None = None) -> dict[str, Any]:
        """The job once it is final, or as it is when ``timeout_seconds`` (default: none) are over."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            left = WAIT_SECONDS if until is None else min(WAIT_SECONDS, max(until - time.monotonic(), 0.0))
            job: dict[str, Any] = self.call(calls.wait_for_job(job_id, left))
            if job["status"] in FINAL or (until is not None and time.monotonic() >= until):
                return job

    def upload(self, path: Path, name: str | None = None) -> dict[str, Any]:
        """Uploads a file, streamed; a payload names it by its ``file_id``."""
        with path.open("rb") as file, _reaching(self._http.base_url):
            blocks = iter(lambda: file.read(UPLOAD_BLOCK_BYTES), b"")
            response = self._http.post(
                "/v1/files", params={"name": name or path.name}, content=blocks, timeout=httpx2.Timeout(None, connect=5)
            )
            stored: dict[str, Any] = _answer(response)
        return stored


class AsyncClient:
    """``Client`` for asyncio, over the same calls."""

    def __init__(self, url: str | None = None, api_key: str | None = None) -> None:
        self._http = httpx2.AsyncClient(**_options(url, api_key))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def call(self, call: Call) -> Any:
        """Carries out any of ``perdure.client.calls``."""
        with _reaching(self._http.base_url):
            return _answer(await self._http.request(**_request(call)))

    async def submit(self, job_type: str, payload: Any = None, **declared: Any) -> dict[str, Any]:
        """Submits a job; ``declared`` are the other fields of the API. Returns the job once it is committed."""
        job: dict[str, Any] = await self.call(_job(job_type, payload, declared))
        return job

    async def get(self, job_id: Id) -> dict[str, Any]:
        job: dict[str, Any] = await self.call(calls.get_job(job_id))
        return job
