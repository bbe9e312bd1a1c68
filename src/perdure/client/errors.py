"""What a client raises."""

from __future__ import annotations

from typing import Any

from perdure.errors import PerdureError


class ServerUnreachable(PerdureError):
    """No server answered."""

    code = "server_unreachable"


class RequestRefused(PerdureError):
    """The server answered with a problem document: ``status``, ``code``, and the whole ``problem``."""

    code = "request_refused"

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or f"The server answered with status {status}."))
        self.status = status
        self.problem = problem
        self.problem_code = str(problem.get("code", "http_error"))
