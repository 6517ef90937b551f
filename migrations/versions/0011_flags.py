"""flags on contracts: an organisation's founding day, and parties and files found quickly

Revision: 0011
Follows: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organisation", sa.Column("founded_on", sa.Date(), nullable=True))
    op.create_index("ix_contract_party_names", "contract", ["seller_name", "buyer_name"])
    op.create_index("ix_contract_parties", "contract", ["seller_id", "buyer_id"])
    op.create_index("ix_attachment_sha256", "attachment", ["sha256"])


def downgrade() -> None:
    op.drop_index("ix_attachment_sha256", table_name="attachment")
    op.drop_index("ix_contract_parties", table_name="contract")
    op.drop_index("ix_contract_party_names", table_name="contract")
    with op.batch_alter_table("organisation") as batch_op:
        batch_op.drop_column("founded_on")
