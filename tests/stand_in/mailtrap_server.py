"""A local stand-in for Mailtrap's sending API, that can also behave as badly as real servers do.

In a test: ``with MailtrapStandIn() as mailtrap`` and MAILTRAP_API_HOST=mailtrap.url. As a program, for benchmarks and
by hand, from the folder that holds ``tests`` (prints one JSON line per mail)::

    python -m tests.stand_in.mailtrap_server --port 9999 --behaviour ok

The last ``--behaviour`` stays; those before it are used once each.
"""

from __future__ import annotations

import argparse
import json
import threading
import uuid

from tests.stand_in.http_behaviours import BEHAVIOURS, replying
from tests.stand_in.http_server import Received, StandIn


class MailtrapStandIn(StandIn):
    behaviours = BEHAVIOURS | {
        "ok_with_more": replying(200, {"success": True, "message_ids": ["id-1"], "new_field": {"a": 1}}),
        "ok_unstorable_id": replying(200, {"success": True, "message_ids": ["id\x00\ud800-1"]}),
        "no_ids": replying(200, {"success": True, "message_ids": []}),
        "success_false": replying(200, {"success": False, "errors": ["'to' address is invalid"]}),
        "success_false_no_reason": replying(200, {"success": False}),
        "plan_used_up": replying(429, {"success": False, "errors": ["The email limit is reached. Upgrade your plan"]}),
        "too_fast": replying(429, {"success": False, "errors": ["Too many emails per second. Upgrade your plan"]}),
    }

    def taken(self) -> bytes:
        return json.dumps({"success": True, "message_ids": [str(uuid.uuid4())]}).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description="A local stand-in for Mailtrap's sending API.")
    parser.add_argument("--port", type=int, default=9999)
    parser.add_argument("--behaviour", action="append", choices=sorted(MailtrapStandIn.behaviours), default=[])
    arguments = parser.parse_args()
    *first, last = arguments.behaviour or ["ok"]

    def announce(request: Received) -> None:
        print(json.dumps({"path": request.path, "mail": request.mail}), flush=True)  # noqa: T201

    with MailtrapStandIn(port=arguments.port, announce=announce) as stand_in:
        stand_in.script(*first, then=last)
        print(f"MAILTRAP_API_HOST={stand_in.url}", flush=True)  # noqa: T201
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
