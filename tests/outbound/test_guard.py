import socket
import ssl
from collections.abc import AsyncIterator, Iterator

import httpcore2
import pytest
import trustme
from tests.stand_in.receiver import LOOPBACK, Receiver

from perdure.outbound import guard
from perdure.outbound.addresses import Address, networks, parsed
from perdure.outbound.guard import AddressRefused, GuardedBackend
from perdure.outbound.http_send import Answer, HttpSender, NoAnswer
from perdure.outbound.transport import GuardedTransport

REFUSED = NoAnswer("address_refused", left=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


class Names:
    """A name server of the attacker's: each look-up has the next answer, and the last stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[Address]:
        self.asked.append(host)
        return [parsed(text) for text in (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])]


@pytest.fixture
async def strict() -> AsyncIterator[HttpSender]:
    sender = HttpSender(10, GuardedTransport())
    yield sender
    await sender.aclose()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_this_machine_is_refused_by_whatever_name_and_hears_nothing(receiver, strict, scheme):
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]:
        assert await strict.post(f"{scheme}://{host}:{receiver.port}/", {}, b"{}") == REFUSED
    for host in ["127.1", "0x7f000001", "2130706433", "0177.0.0.1"]:  # which not every system reads as addresses
        answer = await strict.post(f"{scheme}://{host}:{receiver.port}/", {}, b"{}")
        assert isinstance(answer, NoAnswer)
        assert not answer.left
    assert receiver.connections == 0


async def test_the_words_are_the_same_whether_somebody_listens_there_or_not(receiver, strict):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        ports = (receiver.port, reserved.getsockname()[1])
        assert [await strict.post(f"https://127.0.0.1:{port}/", {}, b"") for port in ports] == [REFUSED, REFUSED]


async def test_networks_inside_are_reached_over_plain_http_too_and_a_connection_is_used_again(receiver):
    sender = HttpSender(10, GuardedTransport(networks(LOOPBACK)))
    for _ in range(3):
        answer = await sender.post(f"{receiver.url}/hook", {}, b"{}")
        assert isinstance(answer, Answer)
    await sender.aclose()
    assert (len(receiver.received), receiver.connections) == (3, 1)


async def test_a_name_with_one_address_inside_is_refused_whole(receiver):
    names = Names(["8.8.8.8", "10.0.0.1"])
    sender = HttpSender(10, GuardedTransport(resolve=names))
    assert await sender.post("https://both.example/", {}, b"") == REFUSED
    await sender.aclose()
    assert names.asked == ["both.example"]


async def test_the_address_that_was_judged_is_the_one_that_is_connected(receiver):
    """A name server whose second answer is another finds nobody who asks for it."""
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    sender = HttpSender(10, GuardedTransport(networks(LOOPBACK), resolve=names))
    answer = await sender.post(f"http://rebinding.example:{receiver.port}/", {}, b"")
    assert isinstance(answer, Answer)
    assert (names.asked, receiver.received[0].headers["host"]) == (
        ["rebinding.example"],
        f"rebinding.example:{receiver.port}",
    )
    await sender.aclose()


async def test_another_address_of_the_name_is_tried_where_one_does_not_answer(receiver):
    names = Names(["127.0.0.2", "127.0.0.1"])
    sender = HttpSender(10, GuardedTransport(networks(LOOPBACK), resolve=names))
    assert isinstance(await sender.post(f"http://two.example:{receiver.port}/", {}, b""), Answer)
    await sender.aclose()


@pytest.mark.parametrize(
    ("port", "encrypted", "allowed"),
    [
        (443, True, True),
        (8443, True, True),
        (25, True, False),
        (80, True, False),
        (443, False, False),
        (80, False, False),
    ],
)
async def test_the_internet_is_reached_over_https_and_at_ports_that_are_for_it(monkeypatch, port, encrypted, allowed):
    connected = []

    async def connect_tcp(_self, host, port, *_arguments):
        connected.append((host, port))
        return httpcore2.AsyncMockStream([])

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connect_tcp)
    backend = GuardedBackend((), encrypted=encrypted, resolve=Names(["8.8.8.8"]))
    if allowed:
        await backend.connect_tcp("a.example", port, timeout=1)
    else:
        with pytest.raises(AddressRefused):
            await backend.connect_tcp("a.example", port, timeout=1)
    assert connected == ([("8.8.8.8", port)] if allowed else [])


async def test_a_socket_file_is_no_address():
    with pytest.raises(AddressRefused):
        await GuardedBackend(networks(LOOPBACK), encrypted=False).connect_unix_socket("/run/docker.sock")


async def test_a_name_server_that_knows_nothing_and_one_that_does_not_answer(strict, monkeypatch):
    def unknown(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(guard.socket, "getaddrinfo", unknown)
    assert await strict.post("https://nobody.example/", {}, b"") == NoAnswer("dns_failed", left=False)

    class Silent:
        async def __call__(self, _host: str, _port: int) -> list[Address]:
            raise TimeoutError

    sender = HttpSender(10, GuardedTransport(resolve=Silent()))
    assert await sender.post("https://nobody.example/", {}, b"") == NoAnswer("connect_timeout", left=False)
    await sender.aclose()


@pytest.mark.parametrize(("host", "works"), [("hooks.example", True), ("other.example", False)])
async def test_the_certificate_must_be_the_name_s(host, works, tmp_path, monkeypatch):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with Receiver(tls=context) as receiver:
        sender = HttpSender(10, GuardedTransport(networks(LOOPBACK), resolve=Names(["127.0.0.1"])))
        answer = await sender.post(f"https://{host}:{receiver.port}/", {}, b"{}")
        await sender.aclose()
    assert isinstance(answer, Answer) if works else answer == NoAnswer("certificate_refused", left=False)
    assert len(receiver.received) == (1 if works else 0)
