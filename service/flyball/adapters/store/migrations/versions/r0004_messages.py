"""Messages to people: which go out together, which channel was told of what, and silences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0001"


def upgrade() -> None:
    """Adds three tables."""
    op.create_table(
        "posts",
        sa.Column("effect", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("carrier", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("effect"),
    )
    op.create_index("posts_by_bundle", "posts", ["channel", "bundle"], unique=False)
    op.create_index("posts_by_carrier", "posts", ["carrier"], unique=False)
    op.create_table(
        "silences",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("lifted", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "told",
        sa.Column("alert", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert", "channel"),
    )
    # Which channel was told of the alerts that are open was not noted before: whichever is asked, it was.
    op.execute(
        "INSERT INTO told (alert, channel, sent, at) SELECT id, '*', true, since FROM alerts WHERE status = 'open'"
    )
