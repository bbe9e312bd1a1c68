"""Providers and suppressions as a browser asks for them: how they stand, and what an operator does about it."""

import re
from uuid import UUID

import pytest
from tests.routes.test_providers import refused

__all__ = ["refused"]

OURS = {"sec-fetch-site": "same-origin"}


async def suppress(http, addresses, **fields):
    return await http.post("/notifications/suppressions", data={"addresses": addresses} | fields, headers=OURS)


def listed(html):
    return re.findall(r'data-row="([^"]+)"', html)


async def test_where_nothing_fails_nothing_is_to_be_resumed(http):
    page = (await http.get("/notifications/providers")).text
    assert page.count("Takes messages") == 3
    assert "Resume" not in page
    assert 'class="banner ' not in (await http.get("/notifications")).text


async def test_a_provider_that_refuses_us_says_why_and_is_resumed(http, refused):
    page = (await http.get("/notifications/providers")).text
    assert "401 Mailtrap refuses the key" in page
    assert "3 wait" in page
    assert "Mailtrap refuses the key" in (await http.get("/notifications")).text
    done = await http.post("/notifications/providers/mailtrap/resume", headers=OURS)
    assert (done.status_code, done.headers["location"]) == (303, "/notifications/providers")
    assert (await http.get("/v1/providers")).json()["items"][0]["state"] == "CLOSED"
    assert "Resume" not in (await http.get("/notifications/providers")).text
    assert (await http.post("/notifications/providers/none/resume", headers=OURS)).status_code == 404


async def test_addresses_are_listed_found_and_taken_off(http):
    done = await suppress(http, "Ada@example.com\n grace@example.com, ada@example.com;", reason="manual", note="asked")
    assert (done.status_code, done.headers["location"]) == (303, "/notifications/suppressions")
    page = (await http.get("/notifications/suppressions")).text
    assert set(listed(page)) == {"ada@example.com", "grace@example.com"}
    assert "asked" in page
    found = (await http.get("/notifications/suppressions?address=ADA@example.com")).text
    assert listed(found) == ["ada@example.com"]
    for other in ("nobody@example.com", "ada", "%00", "%3Cscript%3E"):
        assert "It is not on the list" in (await http.get(f"/notifications/suppressions?address={other}")).text
    form = {"address": "ada@example.com"}
    assert (await http.post("/notifications/suppressions/remove", data=form, headers=OURS)).status_code == 303
    assert (await http.post("/notifications/suppressions/remove", data=form, headers=OURS)).status_code == 404
    for form in ({"address": "ada"}, {"address": "\x00"}, {"other": "x"}):
        assert (await http.post("/notifications/suppressions/remove", data=form, headers=OURS)).status_code == 422
    assert listed((await http.get("/notifications/suppressions")).text) == ["grace@example.com"]


@pytest.mark.parametrize(
    ("addresses", "fields", "says"),
    [
        ("a@example.com <b>", {}, "Number 2 of them must be a bare e-mail address"),
        ("", {}, "It "),
        ("a@example.com", {"reason": "disliked"}, "It "),
        ("a@example.com", {"note": "x" * 501}, "It "),
        ("a@example.com " * 501, {}, "It "),
    ],
)
async def test_a_form_with_something_wrong_in_it_is_shown_again(http, addresses, fields, says):
    answer = await suppress(http, addresses, **fields)
    assert answer.status_code == 422
    assert 'class="problem"' in answer.text
    assert says in answer.text
    assert addresses.strip()[:12] in answer.text.replace("&lt;", "<").replace("&gt;", ">")
    assert "No address is suppressed" in (await http.get("/notifications/suppressions")).text


async def test_the_list_is_paged(http):
    await suppress(http, " ".join(f"a{number}@example.com" for number in range(60)))
    first = (await http.get("/notifications/suppressions")).text
    older = re.search(r'href="(/notifications/suppressions\?before=[^"]+)"', first)[1]
    both = listed(first) + listed((await http.get(older)).text)
    assert len(both) == len(set(both)) == 60
    assert "No older ones" in (await http.get(f"/notifications/suppressions?before={UUID(int=0)}")).text
