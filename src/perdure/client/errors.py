"""What a client raises."""

from __future__ import annotations

from typing import Any

from perdure.errors import PerdureError


class ServerUnreachable(PerdureError):
    """No server answered, or what answered is none of ours."""

    code = "server_unreachable"


class PerdureAPIError(PerdureError):
    """The server refused. ``code`` is the problem's own (``not_found``, ``conflict``, ``validation_failed``, …).

    ``status`` is the HTTP status, ``errors`` names each wrong field, ``problem`` is the whole document (RFC 9457).
    """

    code = "http_error"

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or f"The server answered with status {status}."))
        self.status = status
        self.code = str(problem.get("code", type(self).code))  # type: ignore[misc]  # the tree's is the class's
        self.errors: list[dict[str, str]] = problem.get("errors") or []
        self.problem = problem or {"status": status, "code": self.code, "detail": self.detail}
