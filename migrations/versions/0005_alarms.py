"""What the auction rooms ring for is kept, and staff read it.

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op

from market.db import Id, JsonDoc, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("process", sa.String(120), nullable=False),
        sa.Column("code", sa.String(48), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("detail", JsonDoc, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_index("ix_alarm_at", "alarm", ["at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_alarm_at", table_name="alarm")
    op.drop_table("alarm")
