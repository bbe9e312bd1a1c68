"""``/v1/suppressions``: many are listed at once, each stands once; what is wrong is named and not repeated."""

ADA = "Ada.Lovelace@Example.com"


async def add(http, *addresses, status=200, **declared):
    answer = await http.post("/v1/suppressions", json={"addresses": addresses, **declared})
    assert answer.status_code == status, answer.text
    return answer.json()


async def listed(http, **query):
    return (await http.get("/v1/suppressions", params=query)).json()


async def test_addresses_are_listed_found_and_taken_off(http):
    assert await add(http, ADA, ADA.lower(), "b@example.com", note="asked us to") == {"added": 2, "known": 0}
    assert await add(http, ADA.upper(), reason="complained") == {"added": 0, "known": 1}
    [found] = (await listed(http, address=ADA))["items"]
    assert (found["address"], found["reason"], found["note"]) == (ADA.lower(), "manual", "asked us to")
    assert (found["added_by"], found["delivery_id"]) == ("local", None)
    assert (await http.delete("/v1/suppressions", params={"address": ADA})).status_code == 204
    again = await http.delete("/v1/suppressions", params={"address": ADA})
    assert (again.status_code, again.json()["code"]) == (404, "not_found")
    assert "lovelace" not in again.text.lower()
    assert [one["address"] for one in (await listed(http))["items"]] == ["b@example.com"]


async def test_the_list_pages_newest_first(http):
    for name in "abc":
        await add(http, f"{name}@example.com")
    first = await listed(http, limit=2)
    last = await listed(http, limit=2, cursor=first["next_cursor"])
    assert [one["address"][0] for one in first["items"] + last["items"]] == ["c", "b", "a"]
    assert last["next_cursor"] is None


async def test_what_is_wrong_is_named_and_nothing_is_listed(http):
    problem = await add(http, "a@example.com", "Ada <ada@example.com>", status=422)
    assert [one["field"] for one in problem["errors"]] == ["addresses[1]"]
    assert "ada@" not in str(problem)
    await add(http, status=422)
    await add(http, *["a@example.com"] * 501, status=422)
    await add(http, "a@example.com", reason="disliked", status=422)
    assert (await http.delete("/v1/suppressions")).status_code == 422
    assert (await http.get("/v1/suppressions", params={"address": "nobody"})).status_code == 422
    assert (await listed(http))["items"] == []
