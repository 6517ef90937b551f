"""people who asked to be reminded of a lot

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op

from market.db import Id, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lot_watch",
        sa.Column("lot_id", Id, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lot_id"], ["lot.id"], name=op.f("fk_lot_watch_lot_id_lot"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_lot_watch_person_id_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("lot_id", "person_id", name=op.f("pk_lot_watch")),
    )
    op.create_index(op.f("ix_lot_watch_person_id"), "lot_watch", ["person_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_lot_watch_person_id"), "lot_watch")
    op.drop_table("lot_watch")
