"""Settlements of sold lots, their signatures and payments, and offers to next bidders. A signature is never edited.

Revision: 0016
Follows: 0015
"""

import sqlalchemy as sa
from alembic import op

from market.db import Id, JsonDoc, UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "settlement",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("lot_id", Id, nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("seller_organisation_id", Id, nullable=False),
        sa.Column("buyer_organisation_id", Id, nullable=False),
        sa.Column("organiser_organisation_id", Id, nullable=True),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("deposit_fen", sa.BigInteger(), nullable=False),
        sa.Column("rest_to", sa.String(16), nullable=False),
        sa.Column("runner_up", sa.Boolean(), nullable=False),
        sa.Column("facts", JsonDoc, nullable=False),
        sa.Column("facts_hash", sa.String(64), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=False),
        sa.Column("confirm_by", sa.Date(), nullable=False),
        sa.Column("contract_by", sa.Date(), nullable=False),
        sa.Column("balance_by", sa.Date(), nullable=False),
        sa.Column("contract_id", Id, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("confirmed_on", sa.Date(), nullable=True),
        sa.Column("contract_signed_on", sa.Date(), nullable=True),
        sa.Column("balance_paid_on", sa.Date(), nullable=True),
        sa.Column("registered_on", sa.Date(), nullable=True),
        sa.Column("deposit_asked_at", UtcDateTime(), nullable=True),
        sa.Column("told", JsonDoc, nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("forfeited_at", UtcDateTime(), nullable=True),
        sa.Column("costs_fen", sa.BigInteger(), nullable=True),
        sa.Column("shortfall_fen", sa.BigInteger(), nullable=True),
        sa.Column("owed_fen", sa.BigInteger(), nullable=False),
        sa.Column("owed_by", sa.Date(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("origin IN ('sale', 'runner_up')", name=op.f("ck_settlement_origin")),
        sa.CheckConstraint("rest_to IN ('market', 'seller', 'bidder')", name=op.f("ck_settlement_rest_to")),
        sa.CheckConstraint("state IN ('open', 'complete', 'defaulted')", name=op.f("ck_settlement_state")),
        sa.CheckConstraint("deposit_fen >= 0", name=op.f("ck_settlement_deposit_fen")),
        sa.CheckConstraint("owed_fen >= 0", name=op.f("ck_settlement_owed_fen")),
        sa.CheckConstraint("price_fen > 0", name=op.f("ck_settlement_price_fen")),
        sa.ForeignKeyConstraint(
            ["buyer_organisation_id"],
            ["organisation.id"],
            name=op.f("fk_settlement_buyer_organisation_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_settlement_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["organiser_organisation_id"],
            ["organisation.id"],
            name=op.f("fk_settlement_organiser_organisation_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["seller_organisation_id"],
            ["organisation.id"],
            name=op.f("fk_settlement_seller_organisation_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement")),
        sa.UniqueConstraint(
            "lot_id", "buyer_organisation_id", name=op.f("uq_settlement_lot_id_buyer_organisation_id")
        ),
    )
    with op.batch_alter_table("settlement", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_settlement_buyer_organisation_id"), ["buyer_organisation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_settlement_contract_id"), ["contract_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_settlement_lot_id"), ["lot_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_settlement_seller_organisation_id"), ["seller_organisation_id"], unique=False
        )
        batch_op.create_index("ix_settlement_state_closed_at", ["state", "closed_at"], unique=False)

    op.create_table(
        "runner_up_offer",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("lot_id", Id, nullable=False),
        sa.Column("settlement_id", Id, nullable=False),
        sa.Column("organisation_id", Id, nullable=False),
        sa.Column("alias", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("offered_by", Id, nullable=True),
        sa.Column("offered_at", UtcDateTime(), nullable=False),
        sa.Column("answer_by", UtcDateTime(), nullable=False),
        sa.Column("answered_by", Id, nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'declined', 'lapsed')", name=op.f("ck_runner_up_offer_state")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_runner_up_offer_amount_fen")),
        sa.ForeignKeyConstraint(
            ["answered_by"],
            ["person.id"],
            name=op.f("fk_runner_up_offer_answered_by_person"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["offered_by"],
            ["person.id"],
            name=op.f("fk_runner_up_offer_offered_by_person"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_runner_up_offer_organisation_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement.id"],
            name=op.f("fk_runner_up_offer_settlement_id_settlement"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runner_up_offer")),
        sa.UniqueConstraint(
            "lot_id", "organisation_id", name=op.f("uq_runner_up_offer_lot_id_organisation_id")
        ),
    )
    with op.batch_alter_table("runner_up_offer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_runner_up_offer_answer_by"), ["answer_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_runner_up_offer_lot_id"), ["lot_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_runner_up_offer_organisation_id"), ["organisation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_runner_up_offer_settlement_id"), ["settlement_id"], unique=False)
        batch_op.create_index(
            "ux_runner_up_offer_open",
            ["lot_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "settlement_receipt",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("settlement_id", Id, nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("note", sa.String(300), nullable=False),
        sa.Column("attachment_id", Id, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("entered_by", Id, nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("decided_by", Id, nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('entered', 'approved', 'refused')", name=op.f("ck_settlement_receipt_state")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_settlement_receipt_amount_fen")),
        sa.CheckConstraint("decided_by <> entered_by", name=op.f("ck_settlement_receipt_decided_by")),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["attachment.id"],
            name=op.f("fk_settlement_receipt_attachment_id_attachment"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"],
            ["person.id"],
            name=op.f("fk_settlement_receipt_decided_by_person"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["entered_by"],
            ["person.id"],
            name=op.f("fk_settlement_receipt_entered_by_person"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement.id"],
            name=op.f("fk_settlement_receipt_settlement_id_settlement"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_receipt")),
    )
    with op.batch_alter_table("settlement_receipt", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_settlement_receipt_settlement_id"), ["settlement_id"], unique=False
        )

    op.create_table(
        "settlement_signature",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("settlement_id", Id, nullable=False),
        sa.Column("party", sa.String(16), nullable=False),
        sa.Column("organisation_id", Id, nullable=True),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("facts_hash", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "party IN ('buyer', 'seller', 'organiser')", name=op.f("ck_settlement_signature_party")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_settlement_signature_organisation_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
            name=op.f("fk_settlement_signature_person_id_person"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement.id"],
            name=op.f("fk_settlement_signature_settlement_id_settlement"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_signature")),
        sa.UniqueConstraint(
            "settlement_id", "party", name=op.f("uq_settlement_signature_settlement_id_party")
        ),
    )
    with op.batch_alter_table("settlement_signature", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_settlement_signature_settlement_id"), ["settlement_id"], unique=False
        )

    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON settlement_signature "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON settlement_signature "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    else:
        for event in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER settlement_signature_no_{event} BEFORE {event.upper()} ON settlement_signature "
                "BEGIN SELECT RAISE(ABORT, 'settlement_signature is append-only'); END"
            )


def downgrade() -> None:
    with op.batch_alter_table("settlement_signature", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_settlement_signature_settlement_id"))

    op.drop_table("settlement_signature")
    with op.batch_alter_table("settlement_receipt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_settlement_receipt_settlement_id"))

    op.drop_table("settlement_receipt")
    with op.batch_alter_table("runner_up_offer", schema=None) as batch_op:
        batch_op.drop_index(
            "ux_runner_up_offer_open",
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )
        batch_op.drop_index(batch_op.f("ix_runner_up_offer_settlement_id"))
        batch_op.drop_index(batch_op.f("ix_runner_up_offer_organisation_id"))
        batch_op.drop_index(batch_op.f("ix_runner_up_offer_lot_id"))
        batch_op.drop_index(batch_op.f("ix_runner_up_offer_answer_by"))

    op.drop_table("runner_up_offer")
    with op.batch_alter_table("settlement", schema=None) as batch_op:
        batch_op.drop_index("ix_settlement_state_closed_at")
        batch_op.drop_index(batch_op.f("ix_settlement_seller_organisation_id"))
        batch_op.drop_index(batch_op.f("ix_settlement_lot_id"))
        batch_op.drop_index(batch_op.f("ix_settlement_contract_id"))
        batch_op.drop_index(batch_op.f("ix_settlement_buyer_organisation_id"))

    op.drop_table("settlement")
