"""A message as Slack shows it: Block Kit, with a plain text for notifications and screen readers.

Whatever a user supplied stays text. Names and values are ``plain_text``, which has no markup; an error or a result is
in a code block, escaped, so that it can neither ping a channel nor pose as a link. The job's page is a link and not a
button: Slack reports a button's click to the app, and warns whoever clicked when no app answers.
"""

from __future__ import annotations

from typing import Any

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.facts import JobFacts, one_line
from perdure.core.notifications.providers.base import Message

MAX_HEADER = 150
MAX_SECTION = 2_900
"""Slack takes 3,000 characters; it does not say how it counts those outside the Basic Multilingual Plane."""
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_FENCE, _HARMLESS = "```", "'''"

Block = dict[str, Any]


def slack_payload(message: Message) -> dict[str, Any]:
    """What is posted to the webhook. ``text`` stands for the blocks where they are not shown."""
    return {
        "text": _escaped(message.subject, MAX_SECTION),
        "blocks": _blocks(message),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _blocks(message: Message) -> list[Block]:
    link = [] if message.url is None else [_section(_markup(_link(message.url, "Look at the job")))]
    return [
        {"type": "header", "text": _plain(one_line(message.subject, MAX_HEADER))},
        _section(_markup(_outcome(message.event, message.facts))),
        {"type": "section", "fields": [_plain(text) for row in _rows(message.facts) for text in row]},
        *link,
        {"type": "context", "elements": [_markup(_ended(message)), *map(_plain, _identities(message))]},
    ]


def _outcome(event: JobEvent, facts: JobFacts) -> str:
    error = None if facts.error_type is None else f"{facts.error_type}: {facts.error_message}"
    match event:
        case JobEvent.SUCCESS:
            return "It returned no result." if facts.result is None else _quoted("Its result:", facts.result)
        case JobEvent.FAILURE:
            return "No error was recorded." if error is None else _quoted(f"{facts.error_why} The last error:", error)
        case JobEvent.CANCELLED if error is not None:
            return _quoted("It was cancelled after a failed attempt, whose error was:", error)
        case JobEvent.CANCELLED:
            return "It was cancelled before it could finish. It left no result."


def _rows(facts: JobFacts) -> list[tuple[str, str]]:
    """Name and value, two columns; Slack takes ten fields, so five rows."""
    attempts = facts.attempts if facts.run == 1 else f"{facts.attempts}, run {facts.run}"
    rows = [("Type", facts.job_type), ("Queue", facts.queue), ("Attempts", attempts)]
    rows += [(name, value) for name, value in (("Took", facts.took), ("User", facts.user_id)) if value]
    return rows


def _ended(message: Message) -> str:
    """When it ended: in the reader's own time zone, or in UTC where Slack cannot tell."""
    at = message.occurred_at
    fallback = message.facts.finished or at.isoformat(timespec="seconds")
    return f"<!date^{int(at.timestamp())}^Ended {{date_short_pretty}}, {{time_secs}}|Ended {fallback}>"


def _identities(message: Message) -> tuple[str, str]:
    """The delivery is named too: a message that came twice has the same one twice."""
    return f"Job {message.job_id}", f"Delivery {message.delivery_id}"


def _quoted(introduction: str, text: str) -> str:
    """``text`` in a code block that nothing in it can end."""
    room = MAX_SECTION - len(introduction) - 2 * len(_FENCE) - 3
    return f"{introduction}\n{_FENCE}\n{_escaped(text.replace(_FENCE, _HARMLESS), room)}\n{_FENCE}"


def _link(url: str, words: str) -> str:
    return f"<{_escaped(url, MAX_SECTION).replace('|', '%7C')}|{words}>"


def _escaped(text: str, limit: int) -> str:
    """``text`` without meaning to Slack, cut so that it has at most ``limit`` characters afterwards."""
    pieces = [_ESCAPES.get(character, character) for character in text]
    length = 0
    for count, piece in enumerate(pieces):
        length += len(piece)
        if length > limit:
            return "".join(pieces[: count - 1]) + "…"
    return "".join(pieces)


def _section(text: dict[str, Any]) -> Block:
    return {"type": "section", "text": text}


def _markup(text: str) -> dict[str, Any]:
    """Our own markup; ``verbatim``: Slack makes nothing else of the text, such as links of what looks like one."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
