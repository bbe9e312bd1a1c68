"""A local stand-in for Slack's incoming webhooks: one word an answer, as Slack documents them."""

from __future__ import annotations

from tests.stand_in.http_behaviours import BEHAVIOURS, replying_with
from tests.stand_in.http_server import StandIn

PATH = "/services/T00000000/B00000000/s3cretS3CRETs3cretS3CRET"


class SlackStandIn(StandIn):
    behaviours = BEHAVIOURS | {
        "bad_request": replying_with(400, b"invalid_payload"),
        "forbidden": replying_with(403, b"action_prohibited"),
        "not_found": replying_with(404, b"no_service"),
        "gone": replying_with(410, b"channel_is_archived"),
        "server_error": replying_with(500, b"rollup_error"),
    }

    @property
    def webhook_url(self) -> str:
        return self.url + PATH
