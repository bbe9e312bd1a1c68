"""Every route says what it asks of its caller, and asks it."""

import re
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute

from perdure.app import create_app
from perdure.core.api_keys import ApiKeys
from perdure.core.waiting import FinishedJobs
from perdure.dashboard.routing import PageRoute
from perdure.models.api_key import Scope
from perdure.routes.authentication import KeyWith, LocalOrKeyWith, Open

OPEN = {
    *(("GET", "/healthz"), ("GET", "/readyz"), ("POST", "/api/send/{inbox_id}"), ("POST", "/v1/feedback/mailtrap")),
    *(("GET", "/v1/unsubscribe/{token}"), ("POST", "/v1/unsubscribe/{token}")),
}
LOCAL = {("GET", "/v1/inbox")}
JOB = {"job_type": "demo.sleep", "payload": {"seconds": 0}}


@pytest.fixture
def routes(platform):
    app = create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=True)
    return [route for router in app.routes for route in _flat(router)]


def _flat(route):
    """The routes themselves, whether or not the framework keeps included routers as one."""
    included = getattr(route, "original_router", None)
    return [route] if included is None else [one for part in included.routes for one in _flat(part)]


def _declared(route):
    return [one.call for one in route.dependant.dependencies if isinstance(one.call, KeyWith | Open)]


@pytest.fixture
async def tokens(platform):
    keys = ApiKeys(platform.database)
    return {scope: (await keys.create(scope, [scope])).token for scope in Scope}


def _bearer(token):
    return {"authorization": f"Bearer {token}"}


def _is_page(route):
    """Pages answer in their own way (tests/dashboard/test_session.py)."""
    return isinstance(route, PageRoute)


def test_every_route_declares_what_it_asks(routes):
    assert len(routes) > 15
    for route in routes:
        if _is_page(route):
            continue
        assert isinstance(route, APIRoute), f"{route} is outside of what asks for keys"
        [declared] = _declared(route)
        for method in route.methods:
            assert isinstance(declared, Open) == ((method, route.path) in OPEN)
            assert isinstance(declared, LocalOrKeyWith) == ((method, route.path) in LOCAL)


async def test_every_route_asks_for_it(routes, http, tokens):
    """Each with no key, a wrong one, every key that is too little, and one that is enough."""
    for route in routes:
        if _is_page(route):
            continue
        [declared] = _declared(route)
        path = re.sub(r"\{\w+\}", str(uuid4()), route.path)
        for method in route.methods:
            bare = await http.request(method, path)
            if isinstance(declared, Open | LocalOrKeyWith):
                assert bare.headers.get("www-authenticate") is None
                continue
            wrong = await http.request(method, path, headers=_bearer("pdr_canary"))
            for refused in (bare, wrong):
                assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer"), path
                assert method == "HEAD" or refused.json()["code"] == "unauthenticated"
                assert "canary" not in refused.text
            for scope, token in tokens.items():
                answer = await http.request(method, path, headers=_bearer(token))
                enough = scope in (declared.scope, Scope.ADMIN)
                assert (answer.status_code not in (401, 403)) == enough, (method, path, scope)
                assert enough or method == "HEAD" or answer.json()["code"] == "forbidden"


async def test_the_inbox_asks_other_machines_for_a_key(http, tokens):
    """Told apart by the address they reach us at."""
    there = "http://192.0.2.1/v1/inbox"
    assert (await http.get("/v1/inbox")).status_code == 200
    assert (await http.get(there, headers={"host": "localhost"})).status_code == 401
    assert (await http.get(there, headers=_bearer(tokens[Scope.READ]))).status_code == 200


async def test_a_body_is_not_read_before_the_key(http, tokens):
    answer = await http.post("/v1/jobs", content=b"not json", headers={"content-type": "application/json"})
    assert answer.status_code == 401


async def test_a_submitted_job_needs_another_scope_to_be_looked_at(http, tokens):
    submitted = await http.post("/v1/jobs", json=JOB, headers=_bearer(tokens[Scope.SUBMIT]))
    assert submitted.status_code == 201
    path = submitted.headers["location"]
    assert (await http.get(path, headers=_bearer(tokens[Scope.SUBMIT]))).status_code == 403
    assert (await http.get(path, headers=_bearer(tokens[Scope.READ]))).status_code == 200


@pytest.mark.parametrize("sent", ["Basic dTpw", "pdr_x", "Bearer", "Bearer  ", "bearer"])
async def test_other_forms_of_authorization_are_refused(http, tokens, sent):
    assert (await http.get("/v1/jobs", headers={"authorization": sent})).status_code == 401


async def test_a_key_is_taken_from_one_header_alone(http, tokens):
    token = tokens[Scope.READ]
    twice = [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")]
    assert (await http.get("/v1/jobs", headers=twice)).status_code == 401
    assert (await http.get("/v1/jobs", params={"key": token})).status_code == 401
    assert (await http.get("/v1/jobs", headers={"authorization": f"bearer {token}"})).status_code == 200


async def test_without_keys_a_page_of_another_site_may_not_act(http):
    for site in ("cross-site", "same-site"):
        headers = {"sec-fetch-site": site, "sec-fetch-mode": "cors"}
        assert (await http.post("/v1/jobs", json=JOB, headers=headers)).status_code == 403
        assert (await http.get("/v1/jobs", headers=headers)).status_code == 403
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert (await http.get("/docs", headers=headers)).status_code == 200, "a link may be followed"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", ""])
async def test_without_keys_a_strange_name_for_this_machine_is_refused(http, host):
    answer = await http.get("/v1/jobs", headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "perdure.localhost"])
async def test_without_keys_this_machine_may_be_called_by_its_names(http, host):
    assert (await http.get("/v1/jobs", headers={"host": host})).status_code == 200


async def test_with_a_key_any_name_will_do(http, tokens):
    headers = _bearer(tokens[Scope.READ]) | {"host": "jobs.example", "sec-fetch-site": "cross-site"}
    assert (await http.get("/v1/jobs", headers=headers)).status_code == 200


async def test_the_description_says_who_may_ask(http):
    document = (await http.get("/openapi.json")).json()
    submit = document["paths"]["/v1/jobs"]["post"]
    assert submit["security"] == [{"key": ["submit"]}]
    assert {"401", "403"} <= set(submit["responses"])
    assert "security" not in document["paths"]["/healthz"]["get"]
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
