"""Replicas: who works on the ledger, whose an attempt is, which looks a worker was told of, a site's rate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_OURS = (
    *(
        "alerts",
        "attempts",
        "claims",
        "cursors",
        "decisions",
        "effects",
        "events",
        "facts",
        "intents",
        "looks",
        "marks",
    ),
    *("nodes", "rules", "rulings", "replicas", "budgets", "posts", "told", "silences"),
)


def upgrade() -> None:
    """Adds what replicas share; in PostgreSQL, takes the lengths from the texts of the earlier steps."""
    op.add_column("looks", sa.Column("handed", sa.BigInteger(), nullable=True))
    op.add_column("attempts", sa.Column("replica", sa.Text(), nullable=True))
    op.create_table(
        "replicas",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("process", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "budgets",
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("paused", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site"),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    found = sa.inspect(connection)
    for table in _OURS:
        for column in found.get_columns(table):
            if isinstance(column["type"], sa.String):
                op.alter_column(table, column["name"], type_=sa.Text(collation="C"))
