"""Who sees a page, who may act on it, and how one signs in and out: as strict as the API."""

import re
from uuid import uuid4

import httpx2
import pytest
from fastapi.routing import APIRoute

from perdure.app import create_app
from perdure.core.api_keys import ApiKeys
from perdure.core.browsers import SECURE_SESSION_COOKIE, SESSION_COOKIE
from perdure.core.waiting import FinishedJobs
from perdure.dashboard.routing import PageRoute
from perdure.dashboard.viewing import PageFor, PageForAll
from perdure.models.api_key import Scope

OPEN = {
    *(("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/sign-out"), ("POST", "/preferences")),
    ("GET", "/static/{version}/{path:path}"),
}
OURS = {"sec-fetch-site": "same-origin"}
STREAMS = {"/changes"}


@pytest.fixture
def app(platform):
    return create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=True)


@pytest.fixture
def pages(app):
    def flat(route):
        included = getattr(route, "original_router", None)
        return [route] if included is None else [one for part in included.routes for one in flat(part)]

    return [one for router in app.routes for one in flat(router) if isinstance(one, PageRoute)]


@pytest.fixture
async def tokens(platform):
    keys = ApiKeys(platform.database)
    return {scope: (await keys.create(scope, [scope])).token for scope in Scope}


def session(token):
    return {"cookie": f"{SESSION_COOKIE}={token}"}


def asked(route: APIRoute):
    return [one.call for one in route.dependant.dependencies if isinstance(one.call, PageFor | PageForAll)]


def test_every_page_declares_what_it_asks(pages):
    assert len(pages) > 5
    for page in pages:
        [declared] = asked(page)
        for method in page.methods:
            assert isinstance(declared, PageForAll) == ((method, page.path) in OPEN), page.path
            if method == "POST" and isinstance(declared, PageFor):
                assert declared.scope is not Scope.READ or page.path.endswith("/preview"), page.path


async def test_every_page_asks_for_it(pages, http, tokens):
    """Each with no key, a wrong one, every key that is too little, and one that is enough."""
    for page in pages:
        [declared] = asked(page)
        if isinstance(declared, PageForAll) or page.path in STREAMS:
            continue
        path = re.sub(r"\{\w+(:\w+)?\}", str(uuid4()), page.path)
        for method in page.methods:
            for headers in ({}, session("pdr_canary")):
                sent_away = await http.request(method, path, headers=headers | OURS)
                assert sent_away.status_code == 303, path
                assert sent_away.headers["location"].startswith("/sign-in")
            for scope, token in tokens.items():
                answer = await http.request(method, path, headers=session(token) | OURS)
                enough = scope in (declared.scope, Scope.ADMIN)
                assert (answer.status_code != 403) == enough, (method, path, scope)
                if not enough:
                    assert answer.headers["content-type"].startswith("text/html")
                    assert f"lacks the scope `{declared.scope}`" in answer.text


async def test_no_write_is_done_for_another_sites_page(pages, http, tokens):
    writes = [page for page in pages if "POST" in page.methods]
    assert len(writes) > 2
    for page in writes:
        path = re.sub(r"\{\w+(:\w+)?\}", str(uuid4()), page.path)
        for headers in (
            {},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "none"},
            {"origin": "https://evil.example"},
            {"origin": "null"},
        ):
            answer = await http.post(path, headers=session(tokens[Scope.ADMIN]) | headers)
            assert answer.status_code == 403, (path, headers)
            assert "set-cookie" not in answer.headers


async def test_a_browser_that_says_no_more_than_its_origin_is_let_through(http):
    answer = await http.post("/preferences", data={"theme": "dark"}, headers={"origin": "http://localhost"})
    assert answer.status_code == 303
    assert "perdure_theme=dark" in answer.headers["set-cookie"]


async def test_without_keys_nobody_signs_in(http):
    assert (await http.get("/")).status_code == 200
    answer = await http.get("/sign-in?next=/jobs")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
    for strange in ({"host": "evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = await http.get("/", headers=strange)
        assert answer.status_code == 403
        assert answer.headers["content-type"].startswith("text/html")


async def test_who_signs_in_comes_to_where_they_wanted(http, tokens):
    sent_away = await http.get("/?status=FAILED")
    assert sent_away.headers["location"] == "/sign-in?next=%2F%3Fstatus%3DFAILED"
    asked_for = await http.get(sent_away.headers["location"])
    assert 'name="next" value="/?status=FAILED"' in asked_for.text
    form = {"key": tokens[Scope.READ], "next": "/?status=FAILED"}
    signed_in = await http.post("/sign-in", data=form, headers=OURS)
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/?status=FAILED")
    cookie = signed_in.headers["set-cookie"]
    assert cookie.startswith(f"{SESSION_COOKIE}={tokens[Scope.READ]};")
    for part in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert part in cookie
    assert "Max-Age" not in cookie
    assert "Secure" not in cookie
    remembered = await http.post("/sign-in", data=form | {"remember": "yes"}, headers=OURS)
    assert "Max-Age=2592000" in remembered.headers["set-cookie"]


async def test_over_tls_the_session_is_bound_to_it(app, platform, tokens):
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="https://localhost") as client:
        answer = await client.post("/sign-in", data={"key": tokens[Scope.READ]}, headers=OURS)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{SECURE_SESSION_COOKIE}=")
        assert "Secure" in cookie
        inside = await client.get("/", headers={"cookie": cookie.partition(";")[0]})
        assert inside.status_code == 200


async def test_keys_that_do_not_fit_are_told_apart_and_never_repeated(http, tokens):
    for token, says in (
        ("pdr_canary", "not known here"),
        ("", "not known here"),
        (tokens[Scope.WORK], "lacks the scope"),
    ):
        answer = await http.post("/sign-in", data={"key": token}, headers=OURS)
        assert answer.status_code == 403
        assert says in answer.text
        assert not token or token not in answer.text
        assert "set-cookie" not in answer.headers


async def test_a_revoked_key_ends_the_session(http, platform, tokens):
    keys = ApiKeys(platform.database)
    made = await keys.create("short", [Scope.READ])
    assert (await http.get("/", headers=session(made.token))).status_code == 200
    await keys.revoke(made.key.key_id)
    answer = await http.get("/", headers=session(made.token))
    while answer.status_code == 200:  # noticed within a second
        answer = await http.get("/", headers=session(made.token))
    assert answer.headers["location"] == "/sign-in"


async def test_who_signs_out_is_out(http):
    answer = await http.post("/sign-out", headers=OURS)
    assert answer.headers["location"] == "/sign-in"
    gone = answer.headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in gone] == [SESSION_COOKIE, SECURE_SESSION_COOKIE]
    assert all("Max-Age=0" in cookie for cookie in gone)


@pytest.mark.parametrize(
    "next_page", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_nobody_is_led_astray(http, next_page):
    for answer in (
        await http.get("/sign-in", params={"next": next_page}),
        await http.post("/preferences", data={"theme": "dark", "back": next_page}, headers=OURS),
    ):
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_link_of_another_site_is_followed_once_more(http, tokens):
    """A strict cookie stays at home when the link stands in a mail: from a page of ours it is sent."""
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    answer = await http.get("/?tag=a", headers=headers)
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0;url=/?tag=a">' in answer.text
    astray = await http.get("//evil.example", headers=headers)
    assert "url=//evil" not in astray.text


async def test_the_api_does_not_take_the_session_for_a_key(http, tokens):
    assert (await http.get("/v1/jobs", headers=session(tokens[Scope.ADMIN]))).status_code == 401
    assert (await http.get("/docs", headers=session(tokens[Scope.READ]))).status_code == 200


async def test_every_answer_is_strict(http):
    for path in ("/", "/sign-in", "/static/x/css/base.css", "/static/x/none.css"):
        headers = (await http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert (await http.get("/")).headers["cache-control"] == "no-store"


async def test_what_nobody_expected_is_a_page_and_a_line_in_the_log(http, app, lines, monkeypatch):
    async def broken(_self):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("perdure.core.measuring.Measuring.statistics", broken)
    answer = await http.get("/")
    assert answer.status_code == 500
    assert "the server&#39;s log has the cause" in answer.text
    assert "secret" not in answer.text
    assert [line["path"] for line in lines() if line["msg"] == "request.failed"] == ["/"]


async def test_a_browser_is_told_by_a_page_what_no_page_answers(http):
    looking = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    for path, status, says in (
        ("/nowhere", 404, "There is no page at this address."),
        ("/jobs/nowhere/other", 404, "There is no page at this address."),
        ("/sign-out", 405, "A button leads to this address"),
        ("/jobs/none", 422, "a value in it is none"),
    ):
        page = await http.get(path, headers=looking)
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8"), path
        assert says in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert 'href="/jobs"' in page.text
    back = await http.get("/nowhere", headers=looking | {"referer": "http://localhost/jobs?tag=a"})
    assert 'href="/jobs?tag=a"' in back.text


async def test_programs_are_told_by_problem_documents(http):
    looking = {"accept": "text/html"}
    for path, headers in (("/nowhere", {}), ("/v1/nowhere", looking), ("/v1", looking), ("/v1/jobs/none", looking)):
        answer = await http.get(path, headers=headers)
        assert answer.headers["content-type"] == "application/problem+json", path
    assert (await http.post("/nowhere", headers=looking)).json()["code"] == "no_such_route"


async def test_pages_that_others_answer_ask_to_sign_in_too(http, tokens):
    looking = {"accept": "text/html"}
    sent_away = await http.get("/docs", headers=looking)
    assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/sign-in?next=%2Fdocs")
    assert (await http.get("/docs")).status_code == 401
    refused = await http.get("/docs", headers=looking | session(tokens[Scope.WORK]))
    assert (refused.status_code, "lacks the scope" in refused.text) == (403, True)
    for headers in ({}, session("pdr_canary"), session(tokens[Scope.READ])):
        assert (await http.get("/nowhere", headers=looking | headers)).status_code == 404


async def test_a_bug_outside_of_pages_is_a_page_too(http, lines, monkeypatch):
    def broken(_document):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("perdure.routes.description.render_reference", broken)
    answer = await http.get("/docs", headers={"accept": "text/html"})
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    assert "the server&#39;s log has the cause" in answer.text
    assert [line["path"] for line in lines() if line["msg"] == "request.failed"] == ["/docs"]
    assert (await http.get("/docs")).json()["code"] == "internal_error"


async def test_files_are_kept_by_their_content(http):
    address = re.search(r'href="(/static/[0-9a-f]{16}/css/base.css)"', (await http.get("/")).text)[1]
    answer = await http.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    other_version = await http.get("/static/0123456789abcdef/css/base.css")
    assert (other_version.status_code, other_version.headers["cache-control"]) == (200, "no-cache")
    for path in ("/static/x/none.css", "/static/x/css/%2e%2e%2f%2e%2e/page.py"):
        assert (await http.get(path)).status_code == 404
