"""A local stand-in for Mailtrap's sending API, that can also behave as badly as real servers do.

In a test: ``with MailtrapStandIn() as mailtrap`` and MAILTRAP_API_HOST=mailtrap.url. As a program, for benchmarks and
by hand, from the folder that holds ``tests`` (prints one JSON line per mail)::

    python -m tests.stand_in.mailtrap_server --port 9999 --behaviour ok

The last ``--behaviour`` stays; those before it are used once each. As a program it has an account too, for the doctor
to ask about: ``--key`` is its token (any, if left out), ``--inbox`` its inbox, ``--domain NAME=STATUS`` its domains.
"""

from __future__ import annotations

import argparse
import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from tests.stand_in.http_behaviours import BEHAVIOURS, Behaviour, replying
from tests.stand_in.http_server import Received, StandIn

ACCOUNT = 7
DOMAINS = {"demomailtrap.co": "demo", "example.com": "compliant"}


@dataclass
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

    key: str | None = None
    """The token that is known; None: any."""
    has_account: bool = False

    def open_account(self, inbox: str, domains: Mapping[str, str], key: str | None = None) -> None:
        """What the account API tells from now on: ``domains`` are the sending domains and their compliance status."""
        listed = [_domain(name, status) for name, status in domains.items()]
        self.key, self.has_account = key, True
        self.pages = {
            "/api/accounts": (200, [{"id": ACCOUNT, "name": "Stand-in"}]),
            f"/api/accounts/{ACCOUNT}/inboxes/{inbox}": (200, {"id": inbox}),
            f"/api/accounts/{ACCOUNT}/sending_domains": (200, {"data": listed}),
        }

    def take(self, request: Received) -> Behaviour:
        behaviour = super().take(request)
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return self.behaviours["unauthorized"]
        if self.has_account and request.method == "GET" and request.path not in self.pages:
            return self.behaviours["not_found"]
        return behaviour

    def taken(self) -> bytes:
        return json.dumps({"success": True, "message_ids": [str(uuid.uuid4())]}).encode()


def _domain(name: str, status: str) -> dict[str, object]:
    verified = "pass" if status == "compliant" else "missing"
    records = [{"key": key, "domain": name, "type": "TXT", "status": verified} for key in ("spf", "dkim1", "dmarc")]
    return {"domain_name": name, "compliance_status": status, "dns_records": records}


def main() -> None:
    parser = argparse.ArgumentParser(description="A local stand-in for Mailtrap's sending API.")
    parser.add_argument("--port", type=int, default=9999)
    parser.add_argument("--behaviour", action="append", choices=sorted(MailtrapStandIn.behaviours), default=[])
    parser.add_argument("--key", help="the token that is known; default: any")
    parser.add_argument("--inbox", default="1")
    parser.add_argument(
        "--domain", action="append", default=[], metavar="NAME=STATUS", help="such as shop.example=compliant"
    )
    arguments = parser.parse_args()
    *first, last = arguments.behaviour or ["ok"]
    domains = dict(one.split("=", 1) for one in arguments.domain) or DOMAINS

    def announce(request: Received) -> None:
        print(json.dumps({"path": request.path, "mail": request.mail}), flush=True)  # noqa: T201

    with MailtrapStandIn(port=arguments.port, announce=announce) as stand_in:
        stand_in.script(*first, then=last)
        stand_in.open_account(arguments.inbox, domains, arguments.key)
        print(f"MAILTRAP_API_HOST={stand_in.url}", flush=True)  # noqa: T201
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
