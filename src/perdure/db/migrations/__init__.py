"""The history of the schema, as Alembic scripts that ship in the wheel."""
