"""The one place that understands database URLs.

Taken as people write them: ``postgres://`` or ``postgresql://`` (with or without a SQLAlchemy driver), a host or
``?host=/socket/directory``, ``?sslmode=`` and the other parameters of libpq that asyncpg knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from perdure.errors import ConfigurationError

_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg", "postgresql+psycopg2"})
_CLIENT_PARAMETERS = (
    "channel_binding",
    "connect_timeout",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
)
"""Options of libpq, common in the URLs that hosts hand out; asyncpg would send them as server settings."""
_SECRET_PARAMETERS = frozenset({"password", "sslpassword"})
_FORM = "postgresql://user:password@host:5432/database"


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A database as the driver takes it (``asyncpg``, a DSN), and as it may be ``shown``: without its password."""

    asyncpg: str = field(repr=False)
    shown: str

    @classmethod
    def parse(cls, text: str) -> DatabaseUrl:
        """Raises ``ConfigurationError``, without the URL in it, when the text is none of a PostgreSQL database."""
        try:
            url = make_url(text.strip())
        except (ArgumentError, ValueError):
            raise ConfigurationError(f"The database URL cannot be read. It looks like {_FORM}.") from None
        if url.drivername not in _SCHEMES:
            raise ConfigurationError(
                f"Perdure needs PostgreSQL 15 or newer; the database URL begins with {url.drivername}://. "
                f"It looks like {_FORM}."
            )
        if not url.database:
            raise ConfigurationError(f"The database URL names no database. It looks like {_FORM}.")
        plain = url.set(drivername="postgresql").difference_update_query(_CLIENT_PARAMETERS)
        masked = plain.update_query_dict(dict.fromkeys(_SECRET_PARAMETERS & plain.query.keys(), "***"))
        return cls(
            asyncpg=plain.render_as_string(hide_password=False), shown=masked.render_as_string(hide_password=True)
        )

    def for_programs(self) -> tuple[str, dict[str, str]]:
        """The URI for PostgreSQL's own programs, and the environment that hands them its password.

        A command line can be read by everybody on the machine, so the URI holds no secret.
        """
        url = make_url(self.asyncpg)
        password = url.password or url.query.get("password")
        plain = URL.create(
            "postgresql", url.username, host=url.host, port=url.port, database=url.database, query=url.query
        ).difference_update_query(_SECRET_PARAMETERS)
        environment = {"PGPASSWORD": password} if isinstance(password, str) else {}
        return plain.render_as_string(hide_password=False), environment
