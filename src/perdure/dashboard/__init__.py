"""What people see: the dashboard. It reads, and whatever it does goes through the same commands as the API.

How to add a page is told in docs/how-to/add-a-page.md.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.routing import APIRoute

from perdure.core.attention import AttentionReader
from perdure.core.failures import FailuresReader
from perdure.core.figures import Figures
from perdure.core.trends import Trends
from perdure.errors import PerdureError


def install(
    app: FastAPI,
    *,
    status_of: Callable[[type[PerdureError]], int],
    note_unexpected: Callable[[str, str, Exception], None],
    is_public_encrypted: bool,
    with_inbox: bool,
) -> None:
    """Adds every page to ``app``, whose state has the platform's parts, and pages for what goes wrong.

    ``status_of`` says the HTTP status of an error, ``note_unexpected`` logs one that nobody expected;
    ``is_public_encrypted``: people reach the server by https;
    ``with_inbox``: it has the local inbox.
    """
    from perdure.dashboard import refusals  # they need this package
    from perdure.dashboard.pages import OF_INBOX, ROUTERS

    routers = (*ROUTERS, *(OF_INBOX if with_inbox else ()))

    app.state.status_of = status_of
    app.state.note_unexpected = note_unexpected
    app.state.is_public_encrypted = is_public_encrypted
    database, providers = app.state.database, app.state.provider_commands
    app.state.trends = Trends(database)
    app.state.attention = AttentionReader(database, providers)
    app.state.failures = FailuresReader(database)
    app.state.figures = Figures(database)
    app.state.dashboard_paths = frozenset(
        route.path for router in routers for route in router.routes if isinstance(route, APIRoute)
    )
    for router in routers:
        app.include_router(router)
    refusals.install(app)
