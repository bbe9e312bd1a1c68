"""The processors alone: a function, a payload, and a context over a folder. No server, no database."""

import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from acme_jobs.orders import Orders, summarize
from acme_jobs.reports import ReportRequest, fetch

from perdure import NotRetryable, Snooze
from perdure.processors.testing import LocalContext


@pytest.fixture
def ctx(tmp_path):
    return LocalContext(tmp_path)


def test_orders_are_added_up(ctx, tmp_path):
    (tmp_path / "orders.csv").write_text("customer,amount\nada,3.10\nbob,1\nada,2\n")
    result = summarize.function(Orders(file="orders.csv"), ctx)
    assert (result.orders, result.customers, result.total) == (3, 2, Decimal("6.10"))
    assert (tmp_path / result.file).read_text() == "customer,total\nada,5.10\nbob,1\n"


@pytest.mark.parametrize(
    ("table", "said"), [("buyer,amount\nada,3\n", "buyer, amount"), ("customer,amount\nada,3\nbob,x\n", "line 3")]
)
def test_orders_that_will_never_do_are_not_tried_again(ctx, tmp_path, table, said):
    (tmp_path / "orders.csv").write_text(table)
    with pytest.raises(NotRetryable, match=said):
        summarize.function(Orders(file="orders.csv"), ctx)


def test_a_long_file_tells_its_progress_and_can_be_stopped(ctx, tmp_path):
    (tmp_path / "orders.csv").write_text("customer,amount\n" + "ada,1\n" * 30_000)
    summarize.function(Orders(file="orders.csv"), ctx)
    assert [message for _, message in ctx.told] == ["10,000 orders", "20,000 orders", "30,000 orders"]
    ctx.cancelled = True
    with pytest.raises(InterruptedError):
        summarize.function(Orders(file="orders.csv"), ctx)


@pytest.fixture
def service(monkeypatch):
    """A stand-in for the service of reports, which answers what it is told to."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = server.answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("REPORTS_URL", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


async def test_a_report_is_kept(ctx, tmp_path, service):
    service.answer = (200, b"%PDF")
    result = await fetch.function(ReportRequest(month="2026-11"), ctx)
    assert (tmp_path / result.file).read_bytes() == b"%PDF"
    assert ctx.content_types == {"report-2026-11.pdf": "application/pdf"}


@pytest.mark.parametrize(("status", "raised"), [(202, Snooze), (404, NotRetryable), (503, httpx2.HTTPStatusError)])
async def test_what_is_late_lost_or_broken(ctx, service, status, raised):
    service.answer = (status, b"")
    with pytest.raises(raised):
        await fetch.function(ReportRequest(month="2026-11"), ctx)
