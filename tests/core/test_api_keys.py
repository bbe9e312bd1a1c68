"""Keys are made, used and revoked; what was revoked stays so."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from perdure.core import authentication
from perdure.core.api_keys import ApiKeys
from perdure.core.authentication import Authentication
from perdure.core.key_format import generate_key
from perdure.errors import ConfigurationError, Forbidden, NotFound, Unauthenticated
from perdure.models.api_key import Scope


@pytest.fixture
def keys(database):
    return ApiKeys(database)


@pytest.fixture
def judge(database, monkeypatch):
    """One that trusts nothing it has read before."""
    monkeypatch.setattr(authentication, "FRESH_SECONDS", 0.0)
    return Authentication(database)


async def test_without_keys_everybody_may(judge):
    assert await judge.authorize(None, Scope.ADMIN) is None
    assert await judge.authorize("whatever", Scope.ADMIN) is None


@pytest.mark.parametrize("scope", Scope)
async def test_a_scope_stands_for_itself_and_admin_for_all(keys, judge, scope):
    one, admin = await keys.create("one", [scope]), await keys.create("admin", [Scope.ADMIN])
    for asked in Scope:
        assert (await judge.authorize(admin.token, asked)).name == "admin"
        if scope in (asked, Scope.ADMIN):
            assert (await judge.authorize(one.token, asked)).key_id == one.key.key_id
        else:
            with pytest.raises(Forbidden, match=asked.value):
                await judge.authorize(one.token, asked)


async def test_a_wrong_key_is_refused_and_never_repeated(keys, judge):
    made = await keys.create("one", [Scope.ADMIN])
    right_id_wrong_secret = generate_key()
    right_id_wrong_secret = right_id_wrong_secret.replace(right_id_wrong_secret.split("_")[1], made.key.key_id)
    for token in (None, "", generate_key(), made.token[:-1], right_id_wrong_secret, "pdr_canary"):
        with pytest.raises(Unauthenticated) as refusal:
            await judge.authorize(token, Scope.READ)
        assert "canary" not in refusal.value.detail


async def test_the_same_id_with_another_secret_is_refused(keys, judge, database):
    """Its checksum is right: only the hash tells."""
    made, other = await keys.create("one", [Scope.ADMIN]), await keys.create("two", [Scope.ADMIN])
    async with database.transaction() as connection:
        await connection.execute(
            text("UPDATE perdure.api_keys SET secret_hash = :hash WHERE key_id = :key_id"),
            {"hash": other.key.secret_hash, "key_id": made.key.key_id},
        )
    with pytest.raises(Unauthenticated):
        await judge.authorize(made.token, Scope.READ)


async def test_expired_and_revoked_keys_are_refused_but_still_make_keys_needed(keys, judge):
    expired = await keys.create("expired", [Scope.READ], timedelta(0))
    revoked = await keys.create("revoked", [Scope.READ])
    assert await judge.authorize(revoked.token, Scope.READ)
    first = await keys.revoke(revoked.key.key_id)
    assert (await keys.revoke(revoked.key.key_id)).revoked_at == first.revoked_at
    for token in (expired.token, revoked.token, None):
        with pytest.raises(Unauthenticated):
            await judge.authorize(token, Scope.READ)
    with pytest.raises(NotFound):
        await keys.revoke("unknown")


async def test_a_key_is_read_once_while_it_is_fresh(keys, database):
    judge = Authentication(database)
    made = await keys.create("one", [Scope.READ])
    await judge.authorize(made.token, Scope.READ)
    async with database.transaction() as connection:
        await connection.execute(text("TRUNCATE perdure.api_keys"))
    assert await judge.authorize(made.token, Scope.READ)


async def test_what_is_remembered_is_bounded(keys, database, monkeypatch):
    monkeypatch.setattr(authentication, "MAX_REMEMBERED", 3)
    judge = Authentication(database)
    await keys.create("one", [Scope.READ])
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            await judge.authorize(generate_key(), Scope.READ)
    assert len(judge._known) == 3


async def test_its_use_is_noted_once_a_minute(keys, judge, database):
    made = await keys.create("one", [Scope.READ])
    with pytest.raises(Forbidden):
        await judge.authorize(made.token, Scope.SUBMIT)
    [noted] = await keys.list()
    await judge.authorize(made.token, Scope.READ)
    assert [noted] == await keys.list()
    assert abs(database.clock.now() - noted.last_used_at) < timedelta(minutes=1)


async def test_the_secret_is_nowhere_in_the_database(keys, database):
    made = await keys.create("one", [Scope.READ])
    async with database.snapshot() as connection:
        row = (await connection.execute(text("SELECT * FROM perdure.api_keys"))).one()
    assert made.token.split("_")[2] not in str(row)


async def test_a_bootstrap_key_is_made_only_while_none_ever_was(keys):
    token = generate_key()
    assert sorted(await asyncio.gather(*(keys.bootstrap(token) for _ in range(4)))) == [False, False, False, True]
    [made] = await keys.list()
    assert made.scopes == {Scope.ADMIN}
    await keys.revoke(made.key_id)
    assert not await keys.bootstrap(token)
    assert not await keys.bootstrap(generate_key())
    assert (await keys.list())[0].revoked_at is not None


async def test_a_bootstrap_key_must_be_a_key(keys):
    with pytest.raises(ConfigurationError, match="perdure keys generate") as refusal:
        await keys.bootstrap("canary")
    assert "canary" not in refusal.value.detail
