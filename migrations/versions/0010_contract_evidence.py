"""contract evidence

Revision: 0010
Follows: 0009
"""

import sqlalchemy as sa
from alembic import op

from market.db import Id

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KINDS = (
    "contract_text", "registration_form", "party_registration", "authority_letter", "ip_proof", "cost_breakdown",
    "receipt_proof", "other",
)  # fmt: skip


def upgrade() -> None:
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    op.create_table(
        "contract_evidence",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("contract_id", Id, nullable=False),
        sa.Column("attachment_id", Id, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.CheckConstraint(f"kind IN ({kinds})", name=op.f("ck_contract_evidence_kind")),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["attachment.id"],
            name=op.f("fk_contract_evidence_attachment_id_attachment"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_contract_evidence_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_evidence")),
        sa.UniqueConstraint("attachment_id", name=op.f("uq_contract_evidence_attachment_id")),
    )
    with op.batch_alter_table("contract_evidence") as batch_op:
        batch_op.create_index(batch_op.f("ix_contract_evidence_contract_id"), ["contract_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("contract_evidence") as batch_op:
        batch_op.drop_index(batch_op.f("ix_contract_evidence_contract_id"))

    op.drop_table("contract_evidence")
