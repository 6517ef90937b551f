"""What came from a file without a registration number has a key of its own, so that it enters once.

Revision: 0013
Follows: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contract", sa.Column("import_key", sa.String(length=24), nullable=True))
    op.create_index("ux_contract_import_key", "contract", ["import_key"], unique=True)


def downgrade() -> None:
    op.drop_index("ux_contract_import_key", "contract")
    op.drop_column("contract", "import_key")
