"""What the server does, and what becomes of the delivery: against a server of the standard library's."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from perdure_ntfy import NtfyProvider

from perdure.providers import ConfigurationError, Verdict, example_message


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = self.server.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.heard, server.answer = [], (200, b'{"id": "x1"}')
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
async def provider(server):
    provider = NtfyProvider.from_environment({"NTFY_URL": f"http://127.0.0.1:{server.server_port}"}.get)
    yield provider
    await provider.aclose()


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b'{"id": "x1"}', Verdict.ACCEPTED),
        (200, b"<html>", Verdict.AMBIGUOUS),
        (400, b"", Verdict.PERMANENT),
        (401, b"", Verdict.MISCONFIGURED),
        (429, b"", Verdict.TRANSIENT),
        (503, b"", Verdict.TRANSIENT),
    ],
)
async def test_every_answer_has_its_verdict(server, provider, status, body, verdict):
    server.answer = (status, body)
    assert (await provider.send(example_message("nightly-builds"))).verdict is verdict
    assert server.heard[0]["topic"] == "nightly-builds"


async def test_it_says_what_it_lacks():
    unset = NtfyProvider.from_environment({}.get)
    assert unset.missing_settings() == ["NTFY_URL"]
    assert (await unset.send(example_message("nightly-builds"))).verdict is Verdict.MISCONFIGURED
    with pytest.raises(ConfigurationError):
        NtfyProvider.from_environment({"NTFY_URL": "ntfy.sh"}.get)
