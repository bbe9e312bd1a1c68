"""Mail servers on loopback, in the event loop of the test: a real one (aiosmtpd), and one that says what it is told."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

DRIP_SECONDS = 0.02


@dataclass
class MailServer:
    """What aiosmtpd took, and whom it refuses: ``refused`` maps a recipient to the reply it gets."""

    port: int = 0
    taken: list[Envelope] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    encrypted: list[bool] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.taken.append(envelope)
        self.encrypted.append(session.ssl is not None)
        self.names.append(session.host_name or "")
        return f"250 2.0.0 Ok: queued as 4XyZ{len(self.taken)}"


@asynccontextmanager
async def mail_server(
    *, login: tuple[str, str] | None = None, starttls: SSLContext | None = None, tls: SSLContext | None = None
) -> AsyncIterator[MailServer]:
    """A real mail server; with ``login`` it takes mails only after that, with ``starttls`` only encrypted."""
    state = MailServer()
    options: dict[str, Any] = {"hostname": "mail.example", "enable_SMTPUTF8": False}
    if starttls is not None:
        options |= {"tls_context": starttls, "require_starttls": True}
    if login is not None:

        def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> Any:
            given = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
            return AuthResult(success=given == login, handled=False)

        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": starttls is not None}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(state, loop=loop, **options), "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    async with server:
        yield state


@contextmanager
def mail_server_aside() -> Iterator[MailServer]:
    """A real mail server in a thread, for tests that wait for processes."""
    begun: queue.SimpleQueue[tuple[MailServer, asyncio.AbstractEventLoop, asyncio.Event]] = queue.SimpleQueue()

    async def serve() -> None:
        ended = asyncio.Event()
        async with mail_server() as server:
            begun.put((server, asyncio.get_running_loop(), ended))
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    server, loop, ended = begun.get(timeout=30)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(30)


@dataclass
class Script:
    """What a scripted server says at each step, by the command that asks for it; None: nothing, for ever.

    ``greeting`` comes first, ``content`` after the mail itself. What ends in ``…`` is dripped, an empty text hangs up.
    """

    greeting: str | None = "220 mail.example ESMTP"
    ehlo: str | None = "250-mail.example\r\n250 AUTH PLAIN LOGIN"
    helo: str | None = "250 mail.example"
    auth: str | None = "235 ok"
    mail: str | None = "250 ok"
    rcpt: str | None = "250 ok"
    data: str | None = "354 go on"
    content: str | None = "250 ok"
    quit: str | None = "221 bye"
    port: int = 0
    mails: int = 0
    has_mail: asyncio.Event = field(default_factory=asyncio.Event)
    commands: list[str] = field(default_factory=list)
    talking: set[asyncio.Task[None] | None] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talking.add(asyncio.current_task())
        try:
            if await self._say(writer, self.greeting):
                await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            command = line.split()[0].decode("latin-1").lower()
            self.commands.append(command)
            reply = getattr(self, command, "502 what?")
            if not await self._say(writer, reply):
                return
            if command == "data" and reply.startswith("354"):
                await reader.readuntil(b"\r\n.\r\n")
                self.mails += 1
                self.has_mail.set()
                if not await self._say(writer, self.content):
                    return
            if command == "quit":
                return

    async def _say(self, writer: asyncio.StreamWriter, reply: str | None) -> bool:
        """Whether the conversation goes on."""
        if reply is None:
            await asyncio.Event().wait()
        if not reply:
            return False
        if reply.endswith("…"):
            while True:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(DRIP_SECONDS)
        writer.write(reply.encode("latin-1") + b"\r\n")
        await writer.drain()
        return True


@asynccontextmanager
async def scripted_server(**script: Any) -> AsyncIterator[Script]:
    """A server that follows a ``Script``; whoever still talks to it when the block ends is hung up on."""
    state = Script(**script)
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in filter(None, state.talking):
            task.cancel()
        await asyncio.gather(*filter(None, state.talking), return_exceptions=True)
