"""``/v1/webhook-endpoints``: a secret is shown once, and whoever asks twice changes nothing."""

import asyncio

import pytest
from standardwebhooks.webhooks import Webhook

URL = "https://crm.example/hook?key=k"
ENDPOINT = "/v1/webhook-endpoints/crm"


async def put(http, status=200, **sent):
    answer = await http.put(ENDPOINT, json={"url": URL} | sent)
    assert answer.status_code == status, answer.text
    return answer


async def post(http, verb, status=200, **sent):
    answer = await http.post(f"{ENDPOINT}/{verb}", json=sent) if sent else await http.post(f"{ENDPOINT}/{verb}")
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_an_endpoint_is_added_moved_and_removed(http):
    made = await put(http, status=201)
    assert made.headers["location"] == ENDPOINT
    endpoint = made.json()
    Webhook(endpoint.pop("secret"))
    assert (endpoint["url"], endpoint["state"], endpoint["set_by"]) == (URL, "active", "local")
    assert (await http.get(ENDPOINT)).json() == endpoint, "and its secret is not shown again"
    moved = (await put(http, url="https://new.example/hook")).json()
    assert (moved["url"], moved["secret"], moved["created_at"]) == (
        "https://new.example/hook",
        None,
        endpoint["created_at"],
    )
    [listed] = (await http.get("/v1/webhook-endpoints")).json()["items"]
    assert listed == {name: value for name, value in moved.items() if name != "secret"}
    assert (await http.delete(ENDPOINT)).status_code == 204
    assert (await http.get("/v1/webhook-endpoints")).json()["items"] == []


async def test_of_many_who_add_it_one_does(http):
    answers = await asyncio.gather(*(http.put(ENDPOINT, json={"url": URL}) for _ in range(5)))
    assert sorted(one.status_code for one in answers) == [200, 200, 200, 200, 201]
    assert sum(one.json()["secret"] is not None for one in answers) == 1


async def test_a_new_secret_is_shown_once_and_leaves_the_former_a_day(http):
    first = (await put(http, status=201)).json()
    second = await post(http, "rotate")
    assert second["secret"] not in (None, first["secret"])
    assert (first["former_secret_until"], second["former_secret_until"] > second["updated_at"]) == (None, True)
    assert "secret" not in (await http.get(ENDPOINT)).json()


async def test_it_is_disabled_and_enabled_and_only_then_called(http):
    await put(http, status=201)
    disabled = await post(http, "disable")
    assert (disabled["state"], disabled["reason"]) == ("disabled", "by_hand")
    assert await post(http, "disable") == disabled
    for verb, sent in (("recover", {"since": "2030-01-31T12:00:00Z"}), ("test", {})):
        assert "Enable it first" in (await post(http, verb, 409, **sent))["detail"]
    enabled = await post(http, "enable")
    assert (enabled["state"], enabled["reason"], enabled["disabled_at"]) == ("active", None, None)
    assert await post(http, "enable") == enabled
    assert await post(http, "recover", since="2030-01-31T12:00:00Z") == {"resent": 0, "is_complete": True}


async def test_a_test_that_may_not_leave_is_answered_as_what_it_is(http):
    """The guard holds for it as for every call."""
    await put(http, status=201, url="https://127.0.0.1/hook")
    made = await post(http, "test")
    assert (made["arrived"], made["verdict"], made["status_code"]) == (False, "permanent", None)


@pytest.mark.parametrize(
    ("sent", "field", "code"),
    [
        ({"url": "ftp://crm.example"}, "url", "value_error"),
        ({"url": "https://user@crm.example"}, "url", "value_error"),
        ({"url": None}, "url", "string_type"),
        ({"secret": "whsec_x"}, "secret", "extra_forbidden"),
    ],
)
async def test_what_is_wrong_is_named(http, sent, field, code):
    problem = (await put(http, status=422, **sent)).json()
    assert [(one["field"], one["code"]) for one in problem["errors"]] == [(field, code)]


async def test_of_none_nothing_can_be_asked(http):
    answers = [await http.post(f"{ENDPOINT}/{verb}") for verb in ("rotate", "disable", "enable", "test")]
    answers += [await http.post(f"{ENDPOINT}/recover", json={"since": "2030-01-31T12:00:00Z"})]
    answers += [await http.get(ENDPOINT), await http.delete(ENDPOINT)]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "not_found")] * 7
