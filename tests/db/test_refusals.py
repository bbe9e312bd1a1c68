import pytest

from perdure.db.refusals import explain
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.errors import Unavailable


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda url: url.replace("/test_", "/canary_"), "no database of this name"),
        (lambda url: url.replace("perdure@", "canary:canary@"), "refuses the user"),
        (lambda url: f"{url}&sslmode=canary", "does not take the URL"),
        (lambda _: "postgresql://canary:canary@127.0.0.1:9/d", "nothing listens"),
        (lambda _: "postgresql://canary@/d?host=/canary", "nothing listens"),
        (lambda _: "postgresql://canary@canary.invalid/d", "host name"),
    ],
)
async def test_why_a_database_does_not_let_us_in_is_said_without_its_url(embedded_url, change, expected):
    database = Database(DatabaseUrl.parse(change(embedded_url)))
    with pytest.raises(Unavailable, match="perdure doctor") as refused:
        await database.read_clock()
    await database.close()
    found, advice = explain(refused.value.__cause__)
    assert expected in found
    assert "canary" not in found + advice + refused.value.detail
    assert "PERDURE_DATABASE_URL" in advice
