"""A form with files in it, read as it arrives: a file goes to the store while it comes, and the form keeps its id."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from perdure.dashboard.parts import MAX_FIELDS, FileCommandsPart, Form, form_of
from perdure.errors import BodyTooLarge, InvalidInput
from perdure.models.file import is_file_name, media_type

MULTIPART = "multipart/form-data"
UNNAMED = "upload"


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a part. ``filename`` is None for what is no file, and empty where none was chosen."""

    name: str
    filename: str | None
    content_type: str


Take = Callable[[Head, AsyncIterator[bytes]], Awaitable[str]]
"""Takes a file, all of it, and says what the form is to hold for it."""


class MultipartReader:
    """The parts of one body; what is not in files has ``limit`` bytes at most."""

    def __init__(self, boundary: bytes, body: AsyncIterator[bytes], limit: int) -> None:
        self._body = body
        self._limit = limit
        self._found: deque[Head | bytes | None] = deque()
        self._headers: dict[str, bytes] = {}
        self._field = self._value = b""
        self._has_ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": lambda: self._found.append(_head(self._headers)),
                "on_part_data": lambda data, start, end: self._found.append(data[start:end]),
                "on_part_end": lambda: self._found.append(None),
                "on_end": self._on_end,
            },
        )
        self._events = self._read()

    async def fields(self, take: Take) -> list[tuple[str, str]]:
        """The fields in their order; raises ``InvalidInput`` for what is no such form."""
        fields: list[tuple[str, str]] = []
        async for head in self._events:
            if not isinstance(head, Head) or len(fields) == MAX_FIELDS:
                raise _no_form()
            if head.filename:
                fields.append((head.name, await take(head, self._part())))
            else:
                fields.append((head.name, await self._text()))
        if not self._has_ended:
            raise _no_form()
        return fields

    async def _text(self) -> str:
        text = bytearray()
        async for data in self._part():
            text += data
            self._limit -= len(data)
            if self._limit < 0:
                raise BodyTooLarge("The form has more text than the server takes.")
        return _decoded(bytes(text))

    async def _part(self) -> AsyncIterator[bytes]:
        """The bytes of the part whose head was read just now."""
        async for data in self._events:
            if data is None:
                return
            if isinstance(data, Head):
                break
            yield data
        raise _no_form()  # it ended midway

    async def _read(self) -> AsyncIterator[Head | bytes | None]:
        async for chunk in self._body:
            try:
                self._parser.write(chunk)
            except FormParserError:
                raise _no_form() from None
            while self._found:
                yield self._found.popleft()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value
        self._field = self._value = b""

    def _on_end(self) -> None:
        self._has_ended = True


async def _form_with_files(request: Request, files: FileCommandsPart) -> Form:
    """A form, and its files stored."""
    media, options = parse_options_header(request.headers.get("content-type"))
    if media != MULTIPART.encode():
        return await form_of(request)

    async def store(head: Head, chunks: AsyncIterator[bytes]) -> str:
        name = head.filename if head.filename and is_file_name(head.filename) else UNNAMED
        file = await files.upload(chunks, name=name, content_type=media_type(head.content_type), expected={})
        return str(file.file_id)

    try:
        reader = MultipartReader(options[b"boundary"], request.stream(), request.app.state.max_body_bytes)
    except (KeyError, FormParserError):
        raise _no_form() from None
    return Form(await reader.fields(store))


FormWithFilesPart = Annotated[Form, Depends(_form_with_files)]
"""Like ``FormPart``; the fields of files hold the ids that these are stored under, or nothing if none was chosen."""


def _head(headers: dict[str, bytes]) -> Head:
    _, options = parse_options_header(headers.get("content-disposition"))
    if b"name" not in options:
        raise _no_form()
    filename = options.get(b"filename")
    return Head(
        name=_decoded(options[b"name"]),
        filename=None if filename is None else _decoded(filename),
        content_type=headers.get("content-type", b"").decode("latin-1"),
    )


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _no_form() from None


def _no_form() -> InvalidInput:
    return InvalidInput("This is no form of the dashboard's.")
