"""What every page has in common as a route: strict headers, and errors answered as pages (``refusals``).

A page asks for what it needs like any route (``viewing``).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from perdure.dashboard.refusals import refusal, strict, unexpected
from perdure.errors import InvalidInput, PerdureError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route of the dashboard."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except RequestValidationError:
                error = InvalidInput("The address of this page is not right: a value in it is none.")
                response = refusal(request, error)
            except PerdureError as error:
                response = refusal(request, error)
            except Exception as error:  # noqa: BLE001 (noted as for any route, and answered as a page)
                response = unexpected(request, error)
            return strict(response)

        return answer


def pages_router(**options: Any) -> APIRouter:
    """Where a module of pages registers them."""
    return APIRouter(route_class=PageRoute, include_in_schema=False, **options)
