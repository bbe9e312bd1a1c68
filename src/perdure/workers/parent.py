"""What a worker process has of the parent that started it: a page for its lease, and a line to speak on.

The other end of the line is the parent's alone, so its end tells that the parent is gone, however that came.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from perdure.errors import PerdureError
from perdure.workers.lease_page import LeasePage
from perdure.workers.stopping import PARENT_PIPE, stop_with_parent

LEASE_PAGE = "PERDURE_LEASE_PAGE"
"""The environment variable that names, to a child, the descriptor of its lease's page."""


class Parent:
    """Speaks to the parent: one JSON object a line, ``{"ready": …}`` or ``{"failed": …}``."""

    def __init__(self, line: int, page: LeasePage) -> None:
        self.page = page
        self._line = line

    @classmethod
    def inherited(cls) -> Parent | None:
        """The parent of this process, if one started it; what this process starts in turn does not inherit it."""
        page_file, line = os.environ.pop(LEASE_PAGE, None), os.environ.get(PARENT_PIPE)
        if page_file is None or line is None:
            return None
        page = LeasePage(int(page_file))
        os.close(int(page_file))
        stop_with_parent()
        return cls(int(line), page)

    def ready(self, values: Mapping[str, Any]) -> None:
        """Says that the worker runs; ``values`` are shown to whoever waits for that."""
        self._say({"ready": dict(values)})

    def failed(self, error: PerdureError) -> None:
        """Says why this process ends; the parent tells the user, once for all its children."""
        self._say({"failed": {"code": error.code, "detail": error.detail}})

    def _say(self, message: Mapping[str, Any]) -> None:
        with suppress(OSError):  # it is gone, and this process will hear of that
            os.write(self._line, json.dumps(message).encode() + b"\n")
