import asyncpg
import pytest

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
