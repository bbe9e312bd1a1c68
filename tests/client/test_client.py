"""Both clients over a stand-in for the network: what is sent, what is returned, what is raised."""

import asyncio
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from enum import Enum
from uuid import UUID

import httpx2
import pytest

from perdure.client import calls
from perdure.client.async_client import AsyncClient
from perdure.client.client import Client
from perdure.client.errors import PerdureAPIError, ServerUnreachable
from perdure.client.wire import LAST_END, BulkAnswers
from perdure.errors import ConfigurationError, InvalidInput, PerdureError
from perdure.models.lifecycle import JobStatus

URL = "http://127.0.0.1:8080"
JOB = {"job_id": "1", "status": "SUCCEEDED", "finished_at": "2030-01-31T12:00:00Z"}
PROBLEM = {
    "type": "urn:perdure:problem:validation_failed",
    "status": 422,
    "code": "validation_failed",
    "detail": "context.email: is no address",
    "errors": [{"field": "context.email", "message": "is no address", "code": "value_error"}],
}


class Kind(Enum):
    ONE = 1


class Network:
    """Answers requests from a list, and keeps what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.bodies = []

    def __call__(self, request):
        self.asked.append(request)
        self.bodies.append(request.read())
        return self._next()

    async def asynchronous(self, request):
        self.asked.append(request)
        self.bodies.append(await request.aread())
        return self._next()

    def _next(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(value, status=200):
    return httpx2.Response(status, json=value)


@pytest.fixture(params=["Client", "AsyncClient"])
def use(request):
    """Carries out one method of a client, of either kind, over ``network``."""

    def sync(network, method, *arguments, **options):
        with Client(URL, transport=httpx2.MockTransport(network)) as client:
            return getattr(client, method)(*arguments, **options)

    def asynchronous(network, method, *arguments, **options):
        async def run():
            async with AsyncClient(URL, transport=httpx2.MockTransport(network.asynchronous)) as client:
                return await getattr(client, method)(*arguments, **options)

        return asyncio.run(run())

    return sync if request.param == "Client" else asynchronous


def test_a_job_is_submitted_with_what_is_declared(use):
    network = Network(answer(JOB, 201))
    assert use(network, "submit", "demo.sleep", {"seconds": 1}, tags=["a"], context={"email": "a@b.co"}) == JOB
    [request] = network.asked
    assert (request.method, request.url.path) == ("POST", "/v1/jobs")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(network.bodies[0]) == {
        "job_type": "demo.sleep",
        "payload": {"seconds": 1},
        "tags": ["a"],
        "context": {"email": "a@b.co"},
    }


@pytest.fixture
def at_once(monkeypatch):
    """Nobody waits before a call is made again."""
    monkeypatch.setattr("perdure.client.wire.REPEATED_AFTER_SECONDS", (0.0, 0.0, 0.0))


def keys_of(network):
    return [request.headers.get("idempotency-key") for request in network.asked]


def test_every_submission_has_a_key_of_its_own_or_the_one_given(use):
    network = Network(*(answer(JOB, 201) for _ in range(3)))
    for given in ({}, {}, {"idempotency_key": "mine"}):
        use(network, "submit", "demo.sleep", **given)
    first, second, third = keys_of(network)
    assert first != second
    assert third == "mine"
    assert "mine" not in str(network.bodies)


def test_a_submission_whose_answer_is_lost_is_sent_again_under_its_key(use, at_once):
    unavailable = answer({"code": "unavailable"}, 503)
    network = Network(httpx2.ReadError("lost"), httpx2.ConnectError("starts"), unavailable, answer(JOB))
    assert use(network, "submit", "demo.sleep", {"seconds": 1}) == JOB
    assert len(network.asked) == 4
    assert len(set(keys_of(network))) == len(set(network.bodies)) == 1


@pytest.mark.parametrize("lost", [httpx2.ReadTimeout("lost"), httpx2.RemoteProtocolError("lost")])
def test_patience_with_a_server_has_an_end(use, at_once, lost):
    network = Network(*[lost] * 4)
    with pytest.raises(ServerUnreachable):
        use(network, "submit", "demo.sleep")
    assert len(network.asked) == 4


@pytest.mark.parametrize(
    ("answers", "method", "argument"),
    [
        ([httpx2.ConnectError("nobody there")], "submit", "demo.sleep"),
        ([None], "submit", "demo.sleep"),
        ([httpx2.ReadError("lost"), None], "submit", "demo.sleep"),
        ([httpx2.ReadError("lost")], "call", calls.submit({"job_type": "demo.sleep"})),
        ([httpx2.ReadError("lost")], "call", calls.retry_job("1")),
    ],
)
def test_what_nobody_heard_or_may_be_done_twice_or_is_answered_is_not_asked_again(
    use, at_once, answers, method, argument
):
    network = Network(*(answer(PROBLEM, 422) if one is None else one for one in answers))
    with pytest.raises((ServerUnreachable, PerdureAPIError)):
        use(network, method, argument)
    assert len(network.asked) == len(answers)


@pytest.mark.parametrize("key", ["ü", "a\nb"])
def test_a_key_that_cannot_be_sent_is_refused(use, key):
    with pytest.raises(InvalidInput):
        use(Network(), "submit", "demo.sleep", idempotency_key=key)


def test_waiting_strings_long_polls_together_until_the_job_is_final(use):
    running = {"job_id": "1", "status": "RUNNING", "finished_at": None}
    network = Network(answer(running), answer(running), answer(JOB))
    assert use(network, "wait", "1") == JOB
    assert [one.url.path for one in network.asked] == ["/v1/jobs/1/wait"] * 3
    assert all(0 < float(one.url.params["timeout_seconds"]) <= 60 for one in network.asked), "within the API's limit"
    patience = [one.extensions["timeout"]["read"] for one in network.asked]
    assert min(patience) > 20, "the connection outlasts the poll"


def test_waiting_ends_with_the_callers_time(use):
    running = {"job_id": "1", "status": "RUNNING", "finished_at": None}
    assert use(Network(answer(running)), "wait", "1", 0.0) == running


class Bulk:
    """Answers requests of many jobs, a line a job: those that say "bad" are refused."""

    def __init__(self):
        self.bodies = []

    def __call__(self, request):
        return self._answer(request.read(), request)

    async def asynchronous(self, request):
        return self._answer(await request.aread(), request)

    def _answer(self, body, request):
        assert (request.method, request.url.path) == ("POST", "/v1/jobs/bulk")
        assert request.headers["content-type"] == "application/x-ndjson"
        self.bodies.append(body)
        lines = [
            {"index": index} | ({"problem": PROBLEM} if b"bad" in line else {"job_id": line.decode()})
            for index, line in enumerate(body.splitlines())
        ]
        return httpx2.Response(200, content="".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(params=["Client", "AsyncClient", "AsyncClient, asynchronous jobs"])
def submit_many(request):
    """What many jobs are answered over ``network``."""

    def sync(network, jobs, **options):
        with Client(URL, transport=httpx2.MockTransport(network)) as client:
            return list(client.submit_many(jobs, **options))

    async def each(jobs):
        for job in jobs:
            yield job

    def asynchronous(network, jobs, **options):
        async def run():
            given = each(jobs) if "jobs" in request.param else jobs
            async with AsyncClient(URL, transport=httpx2.MockTransport(network.asynchronous)) as client:
                return [answer async for answer in client.submit_many(given, **options)]

        return asyncio.run(run())

    return sync if request.param == "Client" else asynchronous


def test_many_jobs_go_in_portions_and_are_answered_as_one(submit_many):
    network = Bulk()
    jobs = [{"a": 1}, '{"b":\n2}\n', b"bad", b"  \n", {"c": 3}, {"d": 4}]
    answers = submit_many(network, iter(jobs), portion=2)
    assert network.bodies == [b'{"a":1}\n{"b": 2}\n', b'bad\n{"c":3}\n', b'{"d":4}\n']
    assert [one["index"] for one in answers] == [0, 1, 2, 3, 4]
    assert [one.get("job_id") for one in answers] == ['{"a":1}', '{"b": 2}', None, '{"c":3}', '{"d":4}']
    assert answers[2]["problem"] == PROBLEM
    assert submit_many(network, []) == []
    assert len(network.bodies) == 3, "nothing is sent for nothing"


@pytest.mark.parametrize(
    ("job", "line"),
    [
        ({"n": float("nan")}, b'{"n": NaN}'),  # for the server to refuse: null would be something else
        ({"n": 2**70}, b'{"n": %d}' % 2**70),
        ({"n": None}, b'{"n": null}'),
        ({1: 2}, b'{"1": 2}'),
        ({"id": UUID(int=1), "n": None}, b'{"id": "00000000-0000-0000-0000-000000000001", "n": null}'),
        ({"id": UUID(int=1)}, b'{"id":"00000000-0000-0000-0000-000000000001"}'),
        ({"job": JobStatus.QUEUED, "kind": Kind.ONE}, b'{"job":"QUEUED","kind":1}'),
        ({"kind": Kind.ONE, "n": None}, b'{"kind": 1, "n": null}'),
        ({"name": "Ad\xe9le"}, '{"name":"Ad\xe9le"}'.encode()),
    ],
)
def test_a_job_is_written_as_it_is(submit_many, job, line):
    network = Bulk()
    submit_many(network, [job])
    assert network.bodies == [line + b"\n"]


@pytest.mark.parametrize("value", [datetime.now(UTC), {1, 2}, object(), [None, object()]])
def test_what_is_not_json_is_not_sent(submit_many, value):
    with pytest.raises(TypeError):
        submit_many(Bulk(), [{"value": value}])


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("last_end", [b"\n", b""])
def test_answers_are_found_wherever_the_blocks_end(size, last_end):
    answers, lines = BulkAnswers(10), b'{"index":0,"job_id":"a"}\n{"index":1,"job_id":"b"}' + last_end
    blocks = [lines[start : start + size] for start in range(0, len(lines), size)]
    found = [answer for block in [*blocks, LAST_END] for answer in answers.feed(block)]
    assert found == [{"index": 10, "job_id": "a"}, {"index": 11, "job_id": "b"}]


def test_many_large_jobs_make_small_portions(submit_many):
    network = Bulk()
    submit_many(network, ({"note": "x" * 3_000_000} for _ in range(4)))
    assert [body.count(b"\n") for body in network.bodies] == [3, 1]


def test_many_jobs_that_are_refused_as_a_whole_raise(submit_many):
    with pytest.raises(PerdureAPIError, match="is no address"):
        submit_many(Network(answer(PROBLEM, 422)), [{}])


def test_a_refusal_carries_the_problem(use):
    with pytest.raises(PerdureAPIError) as raised:
        use(Network(answer(PROBLEM, 422)), "submit", "demo.sleep")
    error = raised.value
    assert (error.status, error.code, error.detail) == (422, "validation_failed", "context.email: is no address")
    assert error.errors == PROBLEM["errors"]
    assert error.problem == PROBLEM
    assert isinstance(error, PerdureError)
    assert PerdureAPIError.code == "http_error", "one refusal does not change the next"


@pytest.mark.parametrize("body", [b"<h1>Bad gateway</h1>", b"[]", b""])
def test_a_refusal_without_a_problem_document_is_still_told(use, body):
    with pytest.raises(PerdureAPIError, match="status 502") as raised:
        use(Network(httpx2.Response(502, content=body)), "get", "1")
    assert raised.value.problem == {"status": 502, "code": "http_error", "detail": raised.value.detail}


@pytest.mark.parametrize("error", [httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow")])
def test_nobody_there_is_said_with_what_to_do(use, error):
    with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:8080.*perdure dev.*PERDURE_URL"):
        use(Network(error), "get", "1")


def test_another_program_on_the_port_is_no_server_of_ours(use):
    with pytest.raises(ServerUnreachable, match="no Perdure server"):
        use(Network(httpx2.Response(200, html="<h1>It works!</h1>")), "get", "1")


def test_a_file_is_uploaded_from_its_path_or_an_open_file(use, tmp_path):
    path = tmp_path / "table one.csv"
    path.write_bytes(b"x" * 600_000)
    network = Network(*(answer({"file_id": one}, 201) for one in "fgh"))
    assert use(network, "upload", path) == {"file_id": "f"}
    assert use(network, "upload", io.BytesIO(b"abc"), "name.csv") == {"file_id": "g"}
    assert [one.url.params["name"] for one in network.asked] == ["table one.csv", "name.csv"]
    assert network.bodies == [b"x" * 600_000, b"abc"]
    assert use(network, "upload", io.BytesIO(b"abc"), "name.csv", "text/plain") == {"file_id": "h"}
    assert [one.headers["content-type"] for one in network.asked] == ["text/csv", "text/csv", "text/plain"]
    assert network.asked[0].headers["transfer-encoding"] == "chunked", "it is streamed, not held in memory"


def test_a_file_is_downloaded(use, tmp_path):
    use(Network(httpx2.Response(200, content=b"a,b\n")), "download", "f", tmp_path / "got.csv")
    assert (tmp_path / "got.csv").read_bytes() == b"a,b\n"


def test_a_refused_download_leaves_nothing_behind(use, tmp_path):
    with pytest.raises(PerdureAPIError, match="no file"):
        use(Network(answer({"code": "not_found", "detail": "no file"}, 404)), "download", "f", tmp_path / "got.csv")
    assert not (tmp_path / "got.csv").exists()


def test_an_empty_answer_is_none(use):
    assert use(Network(httpx2.Response(204)), "call", calls.delete_file("f")) is None


def test_any_call_can_be_carried_out(use):
    assert use(Network(answer({"status": "ready"})), "call", calls.health()) == {"status": "ready"}


def sent_headers(**options):
    network = Network(answer(JOB))
    with Client(URL, transport=httpx2.MockTransport(network), **options) as client:
        client.get("1")
    return network.asked[0].headers


def test_the_key_is_sent_as_a_bearer_token_only_when_there_is_one(monkeypatch):
    assert "authorization" not in sent_headers()
    monkeypatch.setenv("PERDURE_API_KEY", "pdr_environment")
    assert sent_headers()["authorization"] == "Bearer pdr_environment"
    assert sent_headers(api_key="pdr_argument")["authorization"] == "Bearer pdr_argument"


def test_a_key_that_cannot_be_sent_is_refused_without_repeating_it():
    with pytest.raises(ConfigurationError) as raised:
        Client(URL, "canary\n")
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://", "http://[::x", "nonsense"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ConfigurationError, match="PERDURE_URL"):
        Client(url)


def test_the_url_comes_from_the_environment(monkeypatch):
    network = Network(answer(JOB), answer(JOB))
    monkeypatch.setenv("PERDURE_URL", "http://jobs.example/prefix")
    for url, wanted in ((None, "http://jobs.example/prefix/v1/jobs/1"), (URL, f"{URL}/v1/jobs/1")):
        with Client(url, transport=httpx2.MockTransport(network)) as client:
            client.get("1")
        assert str(network.asked[-1].url) == wanted


@pytest.mark.parametrize(
    ("url", "asks_a_proxy"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://127.8.8.8", False),
        ("https://localhost", False),
        ("http://[::1]:8080", False),
        ("http://jobs.example", True),
        ("http://localhost.example", True),
    ],
)
def test_a_server_on_this_machine_is_reached_without_a_proxy(url, asks_a_proxy, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Client(url) as client:
        assert client._http.trust_env is asks_a_proxy


def test_importing_perdure_loads_nothing_and_the_client_nothing_heavy():
    heavy = {"pydantic", "sqlalchemy", "asyncpg", "fastapi", "starlette", "uvicorn", "duckdb", "alembic"}
    code = (
        "import sys, perdure\n"
        f"first = ({heavy!r} | {{'httpx2', 'typer', 'rich'}}) & set(sys.modules)\n"
        f"perdure.Client, perdure.AsyncClient\nprint(first, {heavy!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set() set()"
