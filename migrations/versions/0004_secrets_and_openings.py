"""Journal entries may hold a secret; lots may be in the opening of sealed bids.

Revision: 0004
Follows: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = (
    "draft", "announced", "registration", "live", "extending", "paused", "suspended", "sold", "passed_in",
    "withdrawn", "cancelled", "defaulted",
)  # fmt: skip
AFTER = (*BEFORE[:5], "revealing", *BEFORE[5:])


def states(names: tuple[str, ...]) -> None:
    values = ", ".join(f"'{name}'" for name in names)
    with op.batch_alter_table("lot") as batch:
        batch.drop_constraint(op.f("ck_lot_state"), type_="check")
        batch.create_check_constraint(op.f("ck_lot_state"), sa.text(f"state IN ({values})"))


def upgrade() -> None:
    # A plain new column: the table is not made anew, so its triggers stay.
    op.add_column("journal_entry", sa.Column("secret", sa.Text(), nullable=True))
    states(AFTER)


def downgrade() -> None:
    states(BEFORE)
    op.drop_column("journal_entry", "secret")
