"""The job types of the data set: what a company might have done by jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

MAIL = {"email": {"enabled": True, "on": ["SUCCESS", "FAILURE"]}}
MAIL_ON_FAILURE = {"email": {"on": ["FAILURE"]}, "slack": {"on": ["FAILURE"]}}
HOOK = {"webhook": {"url": "https://hooks.example.com/perdure"}}


@dataclass(frozen=True)
class JobType:
    """``weight`` is how frequent it is, ``failing`` which part of its jobs fails for good."""

    name: str
    description: str
    payload: Callable[[Random], Any]
    result: Callable[[Random], Any]
    weight: int
    log_seconds: float
    failing: float = 0.01
    errors: tuple[tuple[str, str, str], ...] = (("retries_exhausted", "ConnectionError", "the connection was closed"),)
    queue: str = "default"
    priority: int = 0
    max_attempts: int = 4
    notifications: dict[str, Any] | None = None
    tags: tuple[str, ...] = ()
    progress: str = "working"
    is_for_people: bool = True
    schema: dict[str, Any] | None = None

    @property
    def payload_schema(self) -> dict[str, Any]:
        """As a worker would publish it."""
        if self.schema is not None:
            return self.schema
        example = self.payload(Random(7))
        kinds = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}
        properties = {name: {"type": kinds[type(value)], "examples": [value]} for name, value in example.items()}
        return {"type": "object", "title": self.name, "properties": properties, "required": list(properties)[:1]}


VIDEO = {
    "type": "object",
    "properties": {
        "video": {"type": "string", "format": "file-id", "description": "what to make smaller: an uploaded file"},
        "height": {"enum": [480, 720, 1080, 2160], "default": 720, "description": "lines of the picture"},
        "codec": {"enum": ["h264", "hevc", "av1"], "default": "h264"},
        "quality": {"type": "number", "minimum": 0, "maximum": 51, "default": 23, "description": "lower is better"},
        "watermark": {"anyOf": [{"type": "string", "maxLength": 80}, {"type": "null"}]},
        "has_sound": {"type": "boolean", "default": True},
        "subtitles": {"type": "array", "items": {"enum": ["de", "en", "fr", "it"]}, "description": "to be burnt in"},
        "thumbnails": {
            "type": "object",
            "description": "pictures for the player's bar",
            "properties": {
                "every_seconds": {"type": "integer", "minimum": 1, "default": 10},
                "width": {"type": "integer", "minimum": 16, "maximum": 1920, "default": 320},
            },
        },
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["video"],
}

TYPES = [
    JobType(
        "invoice.render",
        "Renders an invoice as PDF and stores it.",
        lambda random: {"invoice": f"INV-{random.randrange(20_000, 29_999)}", "locale": "de-DE", "copies": 1},
        lambda random: {"pages": random.randrange(1, 5), "bytes": random.randrange(40_000, 190_000)},
        weight=28,
        log_seconds=-0.4,
        failing=0.07,
        errors=(
            ("retries_exhausted", "TemplateError", "the font 'Inter' is missing in template {}"),
            ("not_retryable", "UnknownCustomer", "customer {} has no billing address"),
        ),
        notifications=MAIL_ON_FAILURE,
        tags=("billing",),
    ),
    JobType(
        "report.build",
        "Builds a report over a range of days.",
        lambda random: {"report": "revenue", "days": random.choice([7, 30, 90]), "currency": "EUR"},
        lambda random: {"rows": random.randrange(900, 90_000), "file": "report.xlsx", "warnings": []},
        weight=16,
        log_seconds=2.1,
        failing=0.03,
        errors=(("timed_out", "TimedOut", "the attempt took longer than 600 s"),),
        queue="reports",
        priority=5,
        notifications=MAIL,
        tags=("finance",),
        progress="aggregating sales by region",
    ),
    JobType(
        "customer.sync",
        "Copies a customer to the CRM.",
        lambda random: {"customer": random.randrange(100_000, 999_999), "full": False},
        lambda random: {"fields": random.randrange(3, 22)},
        weight=24,
        log_seconds=-1.2,
        failing=0.02,
        errors=(("retries_exhausted", "RateLimited", "the CRM answered 429 to request {}"),),
        queue="sync",
        notifications=HOOK,
        tags=("crm",),
    ),
    JobType(
        "media.transcode",
        "Makes a video smaller.",
        lambda random: {"video": f"v{random.randrange(1_000, 9_999)}.mov", "height": 720},
        lambda random: {"seconds": random.randrange(20, 400), "bytes": random.randrange(2_000_000, 90_000_000)},
        weight=12,
        log_seconds=3.0,
        failing=0.02,
        errors=(("worker_lost", "WorkerLost", "the worker's lease ended"),),
        queue="media",
        schema=VIDEO,
        progress="pass 2 of 2",
    ),
    JobType(
        "digest.send",
        "Mails somebody what happened since yesterday.",
        lambda random: {"list": "weekly", "size": random.randrange(4, 20)},
        lambda random: {"mails": random.randrange(100, 900)},
        weight=8,
        log_seconds=0.6,
        notifications=MAIL,
        tags=("mail",),
    ),
    JobType(
        "search.reindex",
        "Brings an index up to date.",
        lambda random: {"index": random.choice(["products", "orders"]), "since": "2026-11-01"},
        lambda random: {"documents": random.randrange(1_000, 60_000)},
        weight=6,
        log_seconds=1.6,
        progress="31,022 of 58,410 documents",
        is_for_people=False,
    ),
    JobType(
        "csv.profile",
        "Says of each column what is in it.",
        lambda random: {"file": f"0197{random.randrange(10**8, 10**9):x}", "sample": 500},
        lambda random: {"rows": random.randrange(100, 99_000), "columns": random.randrange(4, 40)},
        weight=6,
        log_seconds=0.1,
        failing=0.04,
        errors=(("not_retryable", "NotCsv", "line {} has another number of fields"),),
        progress="reading",
    ),
    JobType(
        "ledger.close",
        "Closes the books of a month.",
        lambda random: {"month": "2026-10"},
        lambda random: {"entries": random.randrange(1_000, 9_000)},
        weight=0,
        log_seconds=1.0,
        queue="finance",
        tags=("finance",),
    ),
]
