from urllib.parse import quote, unquote, urlsplit

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.db.url import DatabaseUrl
from perdure.errors import ConfigurationError


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
def test_every_usual_scheme_is_taken(scheme):
    url = DatabaseUrl.parse(f"{scheme}://user:p%40ss%2Fword@host:6000/name?sslmode=require")
    assert url.asyncpg == "postgresql://user:p%40ss%2Fword@host:6000/name?sslmode=require"
    assert url.shown == "postgresql://user:***@host:6000/name?sslmode=require"


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///x.db",
        "mysql://u:canary@h/d",
        "postgresql://u:canary@h",
        "canary",
        "",
        "postgresql://u:canary@h:port/d",
    ],
)
def test_what_is_no_postgresql_database_is_refused_without_its_password(text):
    with pytest.raises(ConfigurationError) as caught:
        DatabaseUrl.parse(text)
    assert "canary" not in caught.value.detail
    assert "postgresql://" in caught.value.detail


def test_options_of_libpq_alone_are_left_out():
    url = DatabaseUrl.parse("postgresql://h/d?channel_binding=require&connect_timeout=10&sslmode=require")
    assert url.asyncpg == "postgresql://h/d?sslmode=require"


async def test_a_socket_directory_is_taken(embedded_url):
    connection = await asyncpg.connect(DatabaseUrl.parse(embedded_url).asyncpg)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
async def test_the_same_server_is_reached_by_every_scheme(embedded_url, scheme):
    rest = embedded_url.partition("://")[2]
    url = DatabaseUrl.parse(f" {scheme}://{rest}&channel_binding=prefer&sslmode=prefer&connect_timeout=3\n")
    connection = await asyncpg.connect(url.asyncpg)
    assert await connection.fetchval("SELECT current_user") == "perdure"
    await connection.close()


async def test_settings_of_the_server_are_handed_on(embedded_url):
    url = DatabaseUrl.parse(f"{embedded_url}&application_name=a%20b%2Bc&options=-c%20work_mem%3D5MB")
    connection = await asyncpg.connect(url.asyncpg)
    assert await connection.fetchval("SHOW application_name") == "a b+c"
    assert await connection.fetchval("SHOW work_mem") == "5MB"
    await connection.close()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_password_reaches_the_driver_and_is_shown_to_nobody(password):
    url = DatabaseUrl.parse(f"postgres://user:{quote(password, safe='')}@[2001:db8::1]:6000/name")
    parts = urlsplit(url.asyncpg)  # as asyncpg reads it
    assert unquote(parts.password) == password
    assert (parts.hostname, parts.port, parts.path) == ("2001:db8::1", 6000, "/name")
    assert url.shown == "postgresql://user:***@[2001:db8::1]:6000/name"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:canary@h/d",
        "postgresql://u:can%2Fary@h/d",
        "postgresql://h/d?user=u&password=canary",
        "postgresql:///d?host=/run/postgresql&password=canary&password=canary",
        "postgresql://u@h/d?sslkey=key.pem&sslpassword=canary",
    ],
)
def test_a_password_is_shown_by_nothing_wherever_it_stood(text):
    url = DatabaseUrl.parse(text)
    assert "ary" in url.asyncpg
    assert "ary" not in url.shown + repr(url) + str(url)
    assert "***" in url.shown or "%2A%2A%2A" in url.shown


@pytest.mark.parametrize(
    "url", ["postgresql://u:canary@h:6000/d?sslmode=require", "postgresql://u@h/d?password=canary"]
)
def test_programs_get_the_password_where_nobody_sees_it(url):
    uri, environment = DatabaseUrl.parse(url).for_programs()
    assert "canary" not in uri
    assert environment == {"PGPASSWORD": "canary"}
    assert uri.startswith("postgresql://u@h")
    assert ("sslmode=require" in uri) == ("sslmode" in url)
