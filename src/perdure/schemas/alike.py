"""Many jobs, a text each, that differ in their payload alone: what they have in common is read and checked once.

The texts around a payload are remembered. Where another text begins and ends with them, and what lies between is JSON
by itself, it is the same job with that payload: by JSON's grammar, nothing else can come of it. So only payloads are
read, all that came together by one call. What is more than plain is left to ``read_json``, which takes anything and
says what is wrong with it.

Measured, a job of 50 bytes: 0.6 us instead of 4.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from perdure.errors import InvalidInput
from perdure.schemas.job import JobCreate
from perdure.schemas.json_stream import Record
from perdure.schemas.reading import validated
from perdure.schemas.strict_json import decode, soon_decoded_member, soon_decoded_members

MAX_FORMS = 8
WORTH_LEARNING = 16
"""To learn a form, and to look for it, costs as much as it saves with so many jobs."""
_PAYLOAD = re.compile(rb'"payload"[ \t\r\n]*:[ \t\r\n]*')
_END = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*\Z")


class Form:
    """What jobs have in common: the texts around their payloads, and what those say."""

    __slots__ = ("after", "before", "sent")

    def __init__(self, sent: JobCreate, before: bytes, after: bytes) -> None:
        """``sent``: a job of this form, without its payload."""
        self.sent = sent
        self.before = before
        self.after = after

    def payloads_in(self, texts: Mapping[int, bytes]) -> dict[int, bytes]:
        """The payloads of those that have this form."""
        before, after = self.before, self.after
        begin, end = len(before), -len(after)
        return {
            place: text[begin:end] for place, text in texts.items() if text.startswith(before) and text.endswith(after)
        }


@dataclass(slots=True)
class Alike:
    """Jobs of a form: where they stand among all that were read, their payloads, and these as they are to be stored."""

    form: Form
    places: Sequence[int]
    payloads: Sequence[Any]
    written: Sequence[bytes]

    def as_sent(self, number: int) -> JobCreate:
        """One of them as it is without a form."""
        return self.form.sent.model_copy(update={"payload": self.payloads[number]})


@dataclass(slots=True)
class Group:
    """Jobs that were sent one after the other: those that are alike, and by their places those that are not."""

    length: int
    alike: Sequence[Alike]
    others: dict[int, JobCreate | InvalidInput]
    """A job, or why what was sent is none."""

    @classmethod
    def of(cls, jobs: Sequence[JobCreate | InvalidInput]) -> Group:
        return cls(len(jobs), [], dict(enumerate(jobs)))


class AlikeReader:
    """Reads the jobs of one sender."""

    def __init__(self) -> None:
        self._forms: list[Form] = []
        self._saved = 4 * WORTH_LEARNING

    def read(self, records: Sequence[Record]) -> Group:
        """What each record says."""
        alike: list[Alike] = []
        group = Group(len(records), alike, {})
        texts: dict[int, bytes] = {}
        for place, record in enumerate(records):
            if isinstance(record, bytes):
                texts[place] = record
            else:
                group.others[place] = record
        for known in self._forms:
            self._take(known, texts, alike)
        while texts:
            place = next(iter(texts))
            group.others[place], form = self._read_other(texts.pop(place))
            if form is not None:
                self._take(form, texts, alike)
        return group

    def _take(self, form: Form, texts: dict[int, bytes], alike: list[Alike]) -> None:
        """Moves the jobs of the form from ``texts`` to ``alike``."""
        payloads = form.payloads_in(texts)
        if not payloads:
            return
        places, read = list(payloads), soon_decoded_members(list(payloads.values()))
        if read is None:  # one of them is more than plain: which?
            told = {place: one for place in places if (one := soon_decoded_member(payloads[place])) is not None}
            places, read = list(told), ([value for value, _ in told.values()], [text for _, text in told.values()])
        self._saved += len(places)
        alike.append(Alike(form, places, *read))
        if len(places) == len(texts):
            texts.clear()
        else:
            for place in places:
                del texts[place]

    def _read_other(self, text: bytes) -> tuple[JobCreate | InvalidInput, Form | None]:
        """What the text says, and the form that it has, if it is one to be remembered."""
        try:
            value = decode(text)
            sent = validated(JobCreate, value)
        except InvalidInput as error:
            return error, None
        if self._saved < WORTH_LEARNING or (form := _form(text, value, sent)) is None:
            return sent, None
        self._saved -= WORTH_LEARNING
        self._forms = [form, *self._forms[: MAX_FORMS - 1]]
        return sent, form


def _form(text: bytes, value: dict[str, Any], sent: JobCreate) -> Form | None:
    """The form of a job, if it has one that is worth it: unique keys differ, and tags are stored apart."""
    found = _PAYLOAD.search(text)
    if found is None or value.get("payload") is None or sent.unique_key is not None or sent.tags:
        return None
    before = text[: found.end()]
    following = [*value, None][list(value).index("payload") + 1]
    end = _END if following is None else re.compile(rb'[ \t\r\n]*,[ \t\r\n]*"%s"' % following.encode())
    ends = [one.start() for one in end.finditer(text, found.end())]
    if not ends:
        return None
    after = text[ends[-1] :]
    # Whatever the two were found by: if each of these values is read in this place, every other one is, too.
    for proof in (b"null", b"[]"):
        try:
            read = orjson.loads(before + proof + after)
        except orjson.JSONDecodeError:
            return None
        if read != value | {"payload": orjson.loads(proof)}:
            return None
    return Form(sent.model_copy(update={"payload": None}), before, after)
