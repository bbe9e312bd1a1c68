"""Alembic's entry: runs the scripts on the connection it is handed, in the one transaction its caller opened."""

from __future__ import annotations

from alembic import context

from perdure.db.base import SCHEMA
from perdure.db.models import JobRow

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=JobRow.metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    transactional_ddl=True,
)
context.run_migrations()
