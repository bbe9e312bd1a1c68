"""Pages asked for as a browser does, in this process."""

from tests.routes.conftest import http

__all__ = ["http"]
