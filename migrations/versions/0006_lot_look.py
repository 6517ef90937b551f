"""when people last looked at a lot's documents

Revision: 0006
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op

from market.db import Id, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lot_look",
        sa.Column("lot_id", Id, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("looked_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lot_id"], ["lot.id"], name=op.f("fk_lot_look_lot_id_lot"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_lot_look_person_id_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("lot_id", "person_id", name=op.f("pk_lot_look")),
    )
    op.create_index(op.f("ix_lot_look_person_id"), "lot_look", ["person_id"])


def downgrade() -> None:
    op.drop_table("lot_look")
