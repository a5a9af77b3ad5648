"""What is due is found by its site: a long queue of one site is not gone through for the others."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Puts the site into the index of effects by their due time."""
    op.drop_index("effects_by_due", "effects")
    op.create_index("effects_by_due", "effects", ["state", "site", "due"], unique=False)
