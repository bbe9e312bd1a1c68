"""Alembic's entry: runs each script in a transaction of its own, or all in the one that its caller has begun."""

from __future__ import annotations

from alembic import context

from perdure.db.base import SCHEMA
from perdure.db.models import JobRow

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=JobRow.metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    transactional_ddl=True,
    transaction_per_migration=True,
    on_version_apply=context.config.attributes["applied"],
    is_restore=connection.in_transaction(),
)
with context.begin_transaction():
    context.run_migrations()
