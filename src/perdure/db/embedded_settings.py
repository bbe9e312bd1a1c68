"""The settings of the embedded server, each with its reason. Durability is never loosened.

``fsync``, ``synchronous_commit`` and ``full_page_writes`` are not named here: they stay on, as PostgreSQL has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PORT = "5432"
"""A part of the socket's name. Said to both sides, or each would ask its own environment (PGPORT)."""

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        # Reached through a Unix socket in a directory that only its owner can enter; never over the network.
        "listen_addresses": "''",
        "port": PORT,
        "unix_socket_permissions": "0700",
        # Every process holds a few connections; a laptop runs a handful of processes.
        "max_connections": "100",
        # The hot part of a queue is small; the rest is the operating system's cache.
        "shared_buffers": "'128MB'",
        "huge_pages": "off",
        # Fewer checkpoints: each makes every page it touched be written whole again.
        "max_wal_size": "'2GB'",
        "min_wal_size": "'256MB'",
        "checkpoint_timeout": "'15min'",
        "wal_compression": "on",
        # A queue makes dead rows all day: clear them soon, and at full speed.
        "autovacuum_naptime": "'10s'",
        "autovacuum_vacuum_cost_delay": "0",
        "autovacuum_vacuum_scale_factor": "0.05",
        "autovacuum_analyze_scale_factor": "0.05",
        # Statements are short and touch few rows: compiling them costs more than it saves.
        "jit": "off",
        # The data lies on a solid disk, or in the cache.
        "random_page_cost": "1.1",
        # A client that died inside a transaction must not hold its locks for long.
        "idle_in_transaction_session_timeout": "'60s'",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        # Seven files at most, a day each.
        "logging_collector": "on",
        "log_filename": "'postgresql-%a.log'",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "'1d'",
        "log_rotation_size": "0",
        "log_checkpoints": "off",
    }
)


def as_configuration() -> str:
    lines = [f"{name} = {value}" for name, value in SETTINGS.items()]
    return "\n".join(["# Written by Perdure at every start of the server; changes here are lost.", *lines, ""])
