"""Messages on the wire, as a preview shows them."""

from __future__ import annotations

from pydantic import Field

from perdure.schemas.base import Answer


class MessageAnswer(Answer):
    """What would be said of an event of a job."""

    event: str
    job_type: str
    subject: str
    text: str
    html: str
    templates: dict[str, str] = Field(
        description="which template each of subject, text and html is from; `perdure/…` is built in"
    )
