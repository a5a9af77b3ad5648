"""Alembic's entry: it runs this file when the schema is brought up, on the connection that the caller put in."""

from __future__ import annotations

from alembic import context

from flyball.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # on SQLite too: the connection says BEGIN itself
    render_as_batch=True,  # later steps that alter a table are written for SQLite, which copies it
)
with context.begin_transaction():
    context.run_migrations()
