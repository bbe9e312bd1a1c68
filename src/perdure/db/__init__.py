"""How it is stored: the way to PostgreSQL, the tables, their history, and the bundled server."""
