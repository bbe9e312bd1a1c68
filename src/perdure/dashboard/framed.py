"""Messages shown as mail programs show them: in a frame of its own that may do nothing.

A message is made of what users sent, or caught from anywhere. So its HTML has a route of its own, whose policy holds
even where somebody opens it outside of our pages: no script, no form, no way out, and nothing is fetched for it.
"""

from __future__ import annotations

from fastapi.responses import HTMLResponse

POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Frame-Options": "SAMEORIGIN"}


def framed(html: str) -> HTMLResponse:
    """The answer of such a route."""
    return HTMLResponse(html, headers=HEADERS)
