"""One mail over SMTP: a connection of its own, bounded in time, never retried; it knows how far the mail came.

What comes back is a value: the server's ``Reply`` that decided, or ``Silence`` with a stable word for the cause, each
with the step at which it came. Only a cancellation is raised. What a step's reply means is judged elsewhere.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeVar

from perdure.core.notifications.providers.smtp_configuration import MailServer, Security

if TYPE_CHECKING:
    from aiosmtplib import SMTP

Result = TypeVar("Result")

CONNECT_SECONDS = 10.0
"""For the connection and the greeting, which servers hold back for a few seconds to put off bulk senders."""
QUIT_SECONDS = 1.0


class Step(Enum):
    """How far the conversation has come; the mail itself is only sent in the last."""

    GREETING = auto()
    ENCRYPTION = auto()
    LOGIN = auto()
    SENDER = auto()
    RECIPIENT = auto()
    CONTENT = auto()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said. ``code`` is -1 for what is no reply of SMTP's."""

    step: Step
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Silence:
    """No reply decided. ``cause`` is a word of ``CAUSES``."""

    step: Step
    cause: str

    @property
    def explanation(self) -> str:
        return CAUSES[self.cause]


CAUSES: Mapping[str, str] = {
    "deadline": "the mail server did not finish within the deadline",
    "connect_timeout": "the mail server did not greet in time",
    "dns_failed": "the mail server's name could not be resolved",
    "connect_failed": "the mail server could not be reached",
    "certificate_refused": "the mail server's certificate is not trusted",
    "tls_failed": "the mail server did not speak TLS as expected",
    "tls_not_offered": "the mail server offers no STARTTLS, and without it nothing is sent to it",
    "login_not_offered": "the mail server offers no login that we know",
    "connection_lost": "the mail server ended the connection",
    "unexpected": "the conversation with the mail server failed in an unexpected way",
}


class SmtpSender:
    """Sends to ``server``, each mail within ``deadline_seconds``; says that it is ``local_name``.

    The certificates trusted are the system's, or those of ``SSL_CERT_FILE``.
    """

    def __init__(self, server: MailServer, local_name: str, deadline_seconds: float) -> None:
        self._server = server
        self._local_name = local_name
        self._deadline_seconds = deadline_seconds
        self._tls: ssl.SSLContext | None = None

    async def send(self, sender: str, recipient: str, content: bytes) -> Reply | Silence:
        """Hands ``content``, a whole mail, to the server for ``recipient``. Addresses are ASCII."""

        async def act(conversation: _Conversation) -> Reply:
            await conversation.enter()
            return await conversation.hand_over(sender, recipient, content)

        return await self._bounded(act)

    async def introduce(self, sender: str) -> Reply | Silence | None:
        """Signs in and names the sender, and sends nothing; None where the server would have gone on."""

        async def act(conversation: _Conversation) -> None:
            await conversation.enter()
            await conversation.name_sender(sender)

        return await self._bounded(act)

    async def _bounded(self, act: Callable[[_Conversation], Awaitable[Result]]) -> Result | Reply | Silence:
        conversation = _Conversation(self._server)
        try:
            conversation.client = self._client()
            async with asyncio.timeout(self._deadline_seconds):
                return await act(conversation)
        except Exception as error:  # noqa: BLE001 (the promise above: an error is an answer too)
            return conversation.end(error)
        finally:
            await conversation.hang_up()

    def _client(self) -> SMTP:
        from aiosmtplib import SMTP  # an extra: only whoever sends by SMTP has it

        if self._tls is None and self._server.security is not Security.NONE:
            self._tls = ssl.create_default_context()
        return SMTP(
            hostname=self._server.host,
            port=self._server.port,
            local_hostname=self._local_name,
            timeout=self._deadline_seconds,
            use_tls=self._server.security is Security.TLS,
            start_tls=False,
            tls_context=self._tls,
        )


class _Conversation:
    """How far one mail came."""

    def __init__(self, server: MailServer) -> None:
        self.client: SMTP | None = None
        self._server = server
        self._step = Step.GREETING
        self._server_waits = False

    async def enter(self) -> None:
        """Everything before the mail."""
        client = self._connected()
        await client.connect(timeout=CONNECT_SECONDS)
        if self._server.security is Security.STARTTLS:
            self._step = Step.ENCRYPTION
            await client.starttls()
        if self._server.username is not None and self._server.password is not None:
            self._step = Step.LOGIN
            await client.login(self._server.username, self._server.password.get_secret_value())
        self._server_waits = True

    async def name_sender(self, sender: str) -> None:
        self._server_waits = False
        self._step = Step.SENDER
        await self._connected().mail(sender)
        self._server_waits = True

    async def hand_over(self, sender: str, recipient: str, content: bytes) -> Reply:
        await self.name_sender(sender)
        client = self._connected()
        self._server_waits = False
        self._step = Step.RECIPIENT
        await client.rcpt(recipient)
        self._step = Step.CONTENT
        reply = await client.data(content)
        self._server_waits = True
        return Reply(self._step, reply.code, reply.message)

    def end(self, error: Exception) -> Reply | Silence:
        """What the conversation came to, given what broke it off. The text of an error is not used."""
        from aiosmtplib import SMTPException, SMTPResponseException

        if isinstance(error, SMTPResponseException):
            self._server_waits = True
            return Reply(self._step, error.code, error.message)
        if type(error) is SMTPException and self._step in _NOT_OFFERED:
            return Silence(self._step, _NOT_OFFERED[self._step])
        return Silence(self._step, _cause(error))

    async def hang_up(self) -> None:
        """Takes leave where the server waits for that; nothing that happens now changes what the mail came to."""
        if self.client is None:
            return
        try:
            if self._server_waits:
                with suppress(Exception):
                    await self.client.quit(timeout=QUIT_SECONDS)
        finally:
            self.client.close()

    def _connected(self) -> SMTP:
        if self.client is None:
            raise RuntimeError("no conversation without a client")
        return self.client


_NOT_OFFERED = {Step.ENCRYPTION: "tls_not_offered", Step.LOGIN: "login_not_offered"}


def _cause(error: Exception) -> str:
    from aiosmtplib import SMTPConnectTimeoutError

    if isinstance(error, SMTPConnectTimeoutError):
        return "connect_timeout"
    return "deadline" if isinstance(error, TimeoutError) else _broken_by(error)


def _broken_by(error: Exception) -> str:
    from aiosmtplib import SMTPServerDisconnected

    for one in _chain(error):
        match one:
            case ssl.SSLCertVerificationError():
                return "certificate_refused"
            case ssl.SSLError():
                return "tls_failed"
            case socket.gaierror():
                return "dns_failed"
            case SMTPServerDisconnected() | ConnectionResetError() | BrokenPipeError():
                return "connection_lost"
    return "connect_failed" if isinstance(error, OSError) else "unexpected"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
