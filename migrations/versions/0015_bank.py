"""The bank: accounts, transfers asked for, statements with their lines, what explains a line, pay-outs.

Revision: 0015
Follows: 0014
"""

import sqlalchemy as sa
from alembic import op

from market.db import Id, JsonDoc, UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bank_payment",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("reference", sa.String(16), nullable=False),
        sa.Column("payment_id", Id, nullable=False),
        sa.Column("organisation_id", Id, nullable=False),
        sa.Column("lot_id", Id, nullable=True),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("cancelled_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_bank_payment_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_payment")),
        sa.UniqueConstraint("key", name=op.f("uq_bank_payment_key")),
        sa.UniqueConstraint("reference", name=op.f("uq_bank_payment_reference")),
    )
    with op.batch_alter_table("bank_payment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bank_payment_lot_id"), ["lot_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_bank_payment_organisation_id"), ["organisation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_bank_payment_payment_id"), ["payment_id"], unique=False)

    op.create_table(
        "bank_account",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("organisation_id", Id, nullable=True),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("bank", sa.String(200), nullable=False),
        sa.Column("branch_code", sa.String(12), nullable=False),
        sa.Column("number", sa.String(34), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("proposed_by", Id, nullable=False),
        sa.Column("proposed_at", UtcDateTime(), nullable=False),
        sa.Column("decided_by", Id, nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("mapping", JsonDoc, nullable=False),
        sa.CheckConstraint(
            "decided_by IS NULL OR state = 'withdrawn' OR decided_by <> proposed_by",
            name=op.f("ck_bank_account_eyes"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'in_force', 'replaced', 'withdrawn')", name=op.f("ck_bank_account_state")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_bank_account_decided_by_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_bank_account_organisation_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by"],
            ["person.id"],
            name=op.f("fk_bank_account_proposed_by_person"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_account")),
    )
    with op.batch_alter_table("bank_account", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bank_account_decided_by"), ["decided_by"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_bank_account_organisation_id"), ["organisation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_bank_account_proposed_by"), ["proposed_by"], unique=False)

    op.create_table(
        "pay_out_batch",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("made_by", Id, nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["made_by"], ["person.id"], name=op.f("fk_pay_out_batch_made_by_person"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pay_out_batch")),
    )
    with op.batch_alter_table("pay_out_batch", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pay_out_batch_made_by"), ["made_by"], unique=False)

    op.create_table(
        "bank_statement",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("new_lines", sa.Integer(), nullable=False),
        sa.Column("known_lines", sa.Integer(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=True),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column("opening_fen", sa.BigInteger(), nullable=True),
        sa.Column("closing_fen", sa.BigInteger(), nullable=True),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("imported_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("state IN ('uploaded', 'imported')", name=op.f("ck_bank_statement_state")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["bank_account.id"],
            name=op.f("fk_bank_statement_account_id_bank_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_bank_statement_person_id_person"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_statement")),
    )
    with op.batch_alter_table("bank_statement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bank_statement_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_bank_statement_person_id"), ["person_id"], unique=False)

    op.create_table(
        "pay_out",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("reference", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("bank_payment_id", Id, nullable=True),
        sa.Column("organisation_id", Id, nullable=False),
        sa.Column("lot_id", Id, nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("account_id", Id, nullable=True),
        sa.Column("prepared_by", Id, nullable=True),
        sa.Column("approved_by", Id, nullable=True),
        sa.Column("batch_id", Id, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'refund') = (bank_payment_id IS NOT NULL)", name=op.f("ck_pay_out_refund")
        ),
        sa.CheckConstraint(
            "kind IN ('refund', 'price', 'shortfall', 'forfeited')", name=op.f("ck_pay_out_kind")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'prepared', 'approved', 'exported', 'left', 'cancelled')",
            name=op.f("ck_pay_out_state"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_pay_out_amount")),
        sa.CheckConstraint("approved_by IS NULL OR approved_by <> prepared_by", name=op.f("ck_pay_out_eyes")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["bank_account.id"],
            name=op.f("fk_pay_out_account_id_bank_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["approved_by"], ["person.id"], name=op.f("fk_pay_out_approved_by_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["bank_payment_id"],
            ["bank_payment.id"],
            name=op.f("fk_pay_out_bank_payment_id_bank_payment"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["pay_out_batch.id"],
            name=op.f("fk_pay_out_batch_id_pay_out_batch"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["prepared_by"], ["person.id"], name=op.f("fk_pay_out_prepared_by_person"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pay_out")),
        sa.UniqueConstraint("key", name=op.f("uq_pay_out_key")),
        sa.UniqueConstraint("reference", name=op.f("uq_pay_out_reference")),
    )
    with op.batch_alter_table("pay_out", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pay_out_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_pay_out_approved_by"), ["approved_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_pay_out_bank_payment_id"), ["bank_payment_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_pay_out_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_pay_out_lot_id"), ["lot_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_pay_out_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_pay_out_prepared_by"), ["prepared_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_pay_out_state"), ["state"], unique=False)

    op.create_table(
        "bank_line",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("statement_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("counterparty", sa.String(200), nullable=False),
        sa.Column("counterparty_tail", sa.String(4), nullable=False),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("balance_fen", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'proposed', 'explained', 'ignored')", name=op.f("ck_bank_line_state")
        ),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_bank_line_amount")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["bank_account.id"],
            name=op.f("fk_bank_line_account_id_bank_account"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["bank_statement.id"],
            name=op.f("fk_bank_line_statement_id_bank_statement"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_line")),
        sa.UniqueConstraint("account_id", "fingerprint", name=op.f("uq_bank_line_account_id_fingerprint")),
    )
    with op.batch_alter_table("bank_line", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bank_line_account_id"), ["account_id"], unique=False)
        batch_op.create_index("ix_bank_line_state_booked_on", ["state", "booked_on"], unique=False)
        batch_op.create_index(batch_op.f("ix_bank_line_statement_id"), ["statement_id"], unique=False)

    op.create_table(
        "bank_match",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("line_id", Id, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("bank_payment_id", Id, nullable=True),
        sa.Column("pay_out_id", Id, nullable=True),
        sa.Column("gateway", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("proposed_by", Id, nullable=False),
        sa.Column("proposed_at", UtcDateTime(), nullable=False),
        sa.Column("decided_by", Id, nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'payment') = (bank_payment_id IS NOT NULL)", name=op.f("ck_bank_match_payment")
        ),
        sa.CheckConstraint(
            "(kind IN ('pay_out', 'returned')) = (pay_out_id IS NOT NULL)", name=op.f("ck_bank_match_pay_out")
        ),
        sa.CheckConstraint(
            "kind IN ('payment', 'pay_out', 'returned', 'settlement', 'fee', 'interest', 'ignored')",
            name=op.f("ck_bank_match_kind"),
        ),
        sa.CheckConstraint(
            "state <> 'confirmed' OR decided_by <> proposed_by", name=op.f("ck_bank_match_eyes")
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'confirmed', 'withdrawn')", name=op.f("ck_bank_match_state")
        ),
        sa.ForeignKeyConstraint(
            ["bank_payment_id"],
            ["bank_payment.id"],
            name=op.f("fk_bank_match_bank_payment_id_bank_payment"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_bank_match_decided_by_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["bank_line.id"], name=op.f("fk_bank_match_line_id_bank_line"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["pay_out_id"], ["pay_out.id"], name=op.f("fk_bank_match_pay_out_id_pay_out"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by"], ["person.id"], name=op.f("fk_bank_match_proposed_by_person"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_match")),
    )
    with op.batch_alter_table("bank_match", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bank_match_bank_payment_id"), ["bank_payment_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_bank_match_decided_by"), ["decided_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_bank_match_pay_out_id"), ["pay_out_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_bank_match_proposed_by"), ["proposed_by"], unique=False)
        batch_op.create_index(
            "uq_bank_match_line",
            ["line_id"],
            unique=True,
            sqlite_where=sa.text("state <> 'withdrawn'"),
            postgresql_where=sa.text("state <> 'withdrawn'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("bank_match", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_bank_match_line",
            sqlite_where=sa.text("state <> 'withdrawn'"),
            postgresql_where=sa.text("state <> 'withdrawn'"),
        )
        batch_op.drop_index(batch_op.f("ix_bank_match_proposed_by"))
        batch_op.drop_index(batch_op.f("ix_bank_match_pay_out_id"))
        batch_op.drop_index(batch_op.f("ix_bank_match_decided_by"))
        batch_op.drop_index(batch_op.f("ix_bank_match_bank_payment_id"))

    op.drop_table("bank_match")
    with op.batch_alter_table("bank_line", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bank_line_statement_id"))
        batch_op.drop_index("ix_bank_line_state_booked_on")
        batch_op.drop_index(batch_op.f("ix_bank_line_account_id"))

    op.drop_table("bank_line")
    with op.batch_alter_table("pay_out", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pay_out_state"))
        batch_op.drop_index(batch_op.f("ix_pay_out_prepared_by"))
        batch_op.drop_index(batch_op.f("ix_pay_out_organisation_id"))
        batch_op.drop_index(batch_op.f("ix_pay_out_lot_id"))
        batch_op.drop_index(batch_op.f("ix_pay_out_batch_id"))
        batch_op.drop_index(batch_op.f("ix_pay_out_bank_payment_id"))
        batch_op.drop_index(batch_op.f("ix_pay_out_approved_by"))
        batch_op.drop_index(batch_op.f("ix_pay_out_account_id"))

    op.drop_table("pay_out")
    with op.batch_alter_table("bank_statement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bank_statement_person_id"))
        batch_op.drop_index(batch_op.f("ix_bank_statement_account_id"))

    op.drop_table("bank_statement")
    with op.batch_alter_table("pay_out_batch", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pay_out_batch_made_by"))

    op.drop_table("pay_out_batch")
    with op.batch_alter_table("bank_account", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bank_account_proposed_by"))
        batch_op.drop_index(batch_op.f("ix_bank_account_organisation_id"))
        batch_op.drop_index(batch_op.f("ix_bank_account_decided_by"))

    op.drop_table("bank_account")
    with op.batch_alter_table("bank_payment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bank_payment_payment_id"))
        batch_op.drop_index(batch_op.f("ix_bank_payment_organisation_id"))
        batch_op.drop_index(batch_op.f("ix_bank_payment_lot_id"))

    op.drop_table("bank_payment")
