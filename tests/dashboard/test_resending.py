"""All deliveries that match are sent again: shown first, then batch by batch, each once."""

import re

import pytest
from tests.dashboard.test_notifications import MANY, OURS, end, execute, rows, tell

from perdure.core import delivery_commands
from perdure.core.delivery_commands import BATCH

PATH = "/notifications/resend"
HIDDEN = r'<input type="hidden" name="([^"]+)" value="([^"]*)">'


def form_of(html):
    return dict(re.findall(HIDDEN, html))


async def written(platform):
    """How many deliveries there are, and how many of them were asked for once more."""
    found = await execute(platform, "SELECT count(*), count(resend_of) FROM perdure.deliveries")
    return tuple(found.one())


async def test_it_is_offered_where_states_have_ended(http, platform):
    await tell(http)
    waits = (await http.get("/notifications?status=PENDING")).text
    assert PATH not in waits
    await end(platform, "FAILED", "permanent")
    assert f'href="{PATH}?status=FAILED"' in (await http.get("/notifications")).text
    chosen = (await http.get("/notifications?status=FAILED&event=CANCELLED")).text
    assert f'href="{PATH}?status=FAILED&amp;event=CANCELLED"' in chosen


@pytest.mark.parametrize("query", ["", "?status=PENDING", "?status=FAILED&status=SENDING"])
async def test_what_is_under_way_is_not_sent_again(http, query):
    for answer in (await http.get(PATH + query), await http.get(f"{PATH}?status=BUSY")):
        assert answer.status_code == 422
    assert "Choose a state of those that have ended" in (await http.get(PATH + query)).text


async def test_it_is_shown_first_and_done_once(http, platform):
    failed = await tell(http)
    await end(platform, "FAILED", "permanent")
    waiting = await tell(http)
    preview = (await http.get(f"{PATH}?status=FAILED&age=1h")).text
    assert "Send 1 delivery again?" in preview
    assert rows(preview) == [failed["delivery_id"]]
    assert waiting["delivery_id"] not in preview
    form = form_of(preview)
    assert set(form) == {"status", "created_after", "of"}  # an age would move on meanwhile
    assert await written(platform) == (2, 0)
    for done in ("<b>1</b> sent again", "<b>0</b> sent again, <b>1</b> left as it is"):
        answer = await http.post(PATH, data=form, headers=OURS)
        assert answer.status_code == 303
        page = (await http.get(answer.headers["location"])).text
        assert done in page
        assert "data-goes-on" not in page
        assert await written(platform) == (3, 1)
    again = (await http.get(f"{PATH}?status=FAILED")).text
    assert "Send 0 deliveries again?" in again
    assert "1 is left as it is" in again


async def test_many_are_sent_batch_by_batch(http, platform, monkeypatch):
    monkeypatch.setattr(delivery_commands, "PREVIEW_SECONDS", 60)
    await tell(http)
    await end(platform, "FAILED", "permanent")
    await execute(platform, MANY.format(BATCH + 20))
    preview = (await http.get(f"{PATH}?status=FAILED")).text
    assert f"Send {BATCH + 21} deliveries again?" in preview
    monkeypatch.setattr(delivery_commands, "PREVIEW_SECONDS", 0)
    in_time = (await http.get(f"{PATH}?status=FAILED")).text
    assert f"Send {delivery_commands.PREVIEWED_BATCH} deliveries or more again?" in in_time
    form, said = form_of(preview), []
    while form:
        answer = await http.post(PATH, data=form, headers=OURS)
        page = (await http.get(answer.headers["location"])).text
        said.append(re.search(r"<b>(\d+)</b> sent again", page)[1])
        form = form_of(page.partition("data-goes-on")[2])
    assert said == [str(BATCH), str(BATCH + 21)]
    assert await written(platform) == (2 * (BATCH + 21), BATCH + 21)


async def test_who_was_told_is_told_twice_only_knowingly(http, platform):
    await tell(http)
    await end(platform, "SENT")
    assert "they are told twice" in (await http.get(f"{PATH}?status=SENT")).text
    assert "they are told twice" not in (await http.get(f"{PATH}?status=FAILED")).text


@pytest.mark.parametrize("advance", ["walked=-1", "done=x", "rest=x", "of=1e99"])
async def test_an_address_that_says_how_far_it_is_must_be_right(http, advance):
    answer = await http.get(f"{PATH}/advance?status=FAILED&{advance}")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
