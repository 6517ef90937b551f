"""The register's movements, receipts, evidence of prices, objections and flags; figures that stay as they were.

Revision: 0009
Follows: 0008
"""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from alembic import op

from market.clock import local_date
from market.db import Id, JsonDoc, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


APPEND_ONLY = (
    "contract_receipt", "expert_opinion", "open_release", "plan_value", "pricing_event", "register_movement",
    "revenue_split", "snapshot_line",
)  # fmt: skip
SOURCES = ("lot", "enquiry", "entered", "imported")
MEASURES = ("deal", "technology")


def one_of(table: str, column: str, values: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{value}'" for value in values)
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(op.f(f"ck_{table}_{column}"), type_="check")
        batch.create_check_constraint(op.f(f"ck_{table}_{column}"), sa.text(f"{column} IN ({listed})"))


UNDER = (
    "registered_on", "signed_on", "effective_on", "kind", "subkind", "technical_field", "industry_code",
    "seller_region", "buyer_region", "seller_town", "buyer_town", "seller_nature", "buyer_nature", "source",
    "taxonomy_version",
)  # fmt: skip
"""What a contract is counted under; no amendment could change it before this revision."""


def record_movements(connection: sa.Connection) -> None:
    """The movements of contracts that were registered before there were any, from their events.

    Recorded when each step was taken or, for a contract entered later, when it was entered. A GDP release
    counts as known from its entry, so the register's clock starts after the last of both.
    """
    days = ("registered_on", "signed_on", "effective_on", "ended_on")
    contract = sa.table(
        "contract",
        sa.column("id", Id),
        *(sa.column(name, sa.Date() if name in days else None) for name in (*UNDER, "ended_on")),
    )
    event = sa.table(
        "contract_event",
        *(sa.column(name) for name in ("id", "contract_id", "step", "deal_fen_before", "deal_fen_after")),
        *(sa.column(name) for name in ("technology_fen_before", "technology_fen_after")),
        sa.column("at", UtcDateTime()),
    )
    movement = sa.table(
        "register_movement",
        sa.column("recorded_at", UtcDateTime()),
        *(sa.column(name) for name in ("contract_id", "step", "contracts", "deal_fen", "technology_fen")),
        *(sa.column(name) for name in ("received_fen", "received_technology_fen")),
        sa.column("changed_on", sa.Date()),
        *(sa.column(name, sa.Date() if name in days else None) for name in UNDER),
    )
    entered = event.alias("entered")
    c, e = contract.c, event.c
    # A contract that was entered has both steps; it was known from its entry.
    late = sa.exists().where(entered.c.contract_id == e.contract_id, entered.c.step == "enter")
    rows = connection.execute(
        sa.select(e.contract_id, e.step, e.at, e.deal_fen_before, e.deal_fen_after, e.technology_fen_before,
                  e.technology_fen_after, c.ended_on, *(c[name] for name in UNDER))
        .select_from(event.join(contract, c.id == e.contract_id))
        .where(
            c.registered_on.is_not(None),
            sa.or_(
                e.step.in_(("enter", "amend", "deregister", "revoke")),
                sa.and_(e.step == "register", sa.not_(late)),
            ),
        )
        .order_by(e.at, e.id)
        .execution_options(yield_per=500)
    )  # fmt: skip
    last = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    for chunk in rows.mappings().partitions():
        found: list[dict[str, Any]] = []
        for row in chunk:
            sign = {"amend": 0, "deregister": -1, "revoke": -1}.get(row["step"], 1)
            deal, technology = row["deal_fen_after"], row["technology_fen_after"]
            if not sign:
                deal, technology = deal - row["deal_fen_before"], technology - row["technology_fen_before"]
                if not (deal or technology):
                    continue
            last = max(row["at"], last + dt.timedelta(microseconds=1))
            day = local_date(row["at"])
            found.append(
                {name: row[name] for name in UNDER}
                | {
                    "recorded_at": last,
                    "contract_id": row["contract_id"],
                    "step": "register" if sign > 0 else row["step"],
                    "changed_on": row["registered_on"] if sign > 0 else (sign and row["ended_on"]) or day,
                    "industry_code": row["industry_code"] or "",
                    "contracts": sign,
                    "deal_fen": (sign or 1) * deal,
                    "technology_fen": (sign or 1) * technology,
                    "received_fen": 0,
                    "received_technology_fen": 0,
                }
            )
        if found:
            connection.execute(sa.insert(movement), found)
    release = sa.table("gdp_release", sa.column("entered_at", UtcDateTime()))
    known = connection.execute(sa.select(sa.func.max(release.c.entered_at))).scalar()
    clock = sa.table("register_clock", sa.column("id"), sa.column("last", UtcDateTime()))
    connection.execute(sa.insert(clock).values(id=1, last=max(last, known or last)))


def upgrade() -> None:
    op.create_table(
        "register_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_clock")),
    )
    op.create_table(
        "objection",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("subject_kind", sa.String(16), nullable=False),
        sa.Column("subject_id", Id, nullable=False),
        sa.Column("organisation_id", Id, nullable=True),
        sa.Column("objector_name", sa.String(200), nullable=False),
        sa.Column("contact", sa.String(254), nullable=False),
        sa.Column("grounds", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("filed_at", UtcDateTime(), nullable=False),
        sa.Column("filed_by", Id, nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", Id, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'upheld', 'rejected', 'withdrawn')", name=op.f("ck_objection_state")
        ),
        sa.CheckConstraint(
            "subject_kind IN ('contract', 'pricing_notice')", name=op.f("ck_objection_subject_kind")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_objection_decided_by_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["filed_by"], ["person.id"], name=op.f("fk_objection_filed_by_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_objection_organisation_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objection")),
    )
    with op.batch_alter_table("objection") as batch_op:
        batch_op.create_index(batch_op.f("ix_objection_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index("ix_objection_subject", ["subject_kind", "subject_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_objection_subject_id"), ["subject_id"], unique=False)

    op.create_table(
        "plan_value",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("indicator", sa.String(64), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("value", sa.String(40), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("entered_by", Id, nullable=True),
        sa.ForeignKeyConstraint(
            ["entered_by"], ["person.id"], name=op.f("fk_plan_value_entered_by_person"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_value")),
    )
    with op.batch_alter_table("plan_value") as batch_op:
        batch_op.create_index("ix_plan_value_indicator_year", ["indicator", "year"], unique=False)

    op.create_table(
        "pricing_event",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("subject_kind", sa.String(16), nullable=False),
        sa.Column("subject_id", Id, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("step", sa.String(24), nullable=False),
        sa.Column("state_before", sa.String(16), nullable=False),
        sa.Column("state_after", sa.String(16), nullable=False),
        sa.Column("actor_id", Id, nullable=True),
        sa.Column("actor_name", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", JsonDoc, nullable=False),
        sa.CheckConstraint(
            "subject_kind IN ('notice', 'priority', 'trial', 'licence')",
            name=op.f("ck_pricing_event_subject_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["person.id"], name=op.f("fk_pricing_event_actor_id_person"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pricing_event")),
    )
    with op.batch_alter_table("pricing_event") as batch_op:
        batch_op.create_index("ix_pricing_event_subject", ["subject_kind", "subject_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_pricing_event_subject_id"), ["subject_id"], unique=False)

    op.create_table(
        "open_licence",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("result_id", Id, nullable=False),
        sa.Column("organisation_id", Id, nullable=False),
        sa.Column("patent_number", sa.String(20), nullable=False),
        sa.Column("fee", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("evaluation_report", sa.Boolean(), nullable=False),
        sa.Column("free_of_bars", sa.Boolean(), nullable=False),
        sa.Column("announced_number", sa.String(40), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'declared', 'withdrawn', 'lapsed')", name=op.f("ck_open_licence_state")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_open_licence_organisation_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["result_id"], ["result.id"], name=op.f("fk_open_licence_result_id_result"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_open_licence")),
    )
    with op.batch_alter_table("open_licence") as batch_op:
        batch_op.create_index(
            batch_op.f("ix_open_licence_organisation_id"), ["organisation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_open_licence_result_id"), ["result_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_open_licence_state"), ["state"], unique=False)

    op.create_table(
        "contract_flag",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("contract_id", Id, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("about", sa.String(80), nullable=False),
        sa.Column("other_id", Id, nullable=True),
        sa.Column("detail", JsonDoc, nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_by", Id, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('duplicate_terms', 'duplicate_file', 'duplicate_number', 'cycle', 'round_year_end', 'young_firm', 'no_receipt', 'related_party')",
            name=op.f("ck_contract_flag_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["closed_by"], ["person.id"], name=op.f("fk_contract_flag_closed_by_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_contract_flag_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["other_id"],
            ["contract.id"],
            name=op.f("fk_contract_flag_other_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_flag")),
        sa.UniqueConstraint(
            "contract_id", "kind", "about", name=op.f("uq_contract_flag_contract_id_kind_about")
        ),
    )
    with op.batch_alter_table("contract_flag") as batch_op:
        batch_op.create_index(batch_op.f("ix_contract_flag_closed_at"), ["closed_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_contract_flag_contract_id"), ["contract_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_contract_flag_other_id"), ["other_id"], unique=False)

    op.create_table(
        "contract_receipt",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("contract_id", Id, nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("fen", sa.BigInteger(), nullable=False),
        sa.Column("technology_fen", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(300), nullable=False),
        sa.Column("attachment_id", Id, nullable=True),
        sa.Column("reverses_id", Id, nullable=True),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("entered_by", Id, nullable=True),
        sa.CheckConstraint("fen <> 0", name=op.f("ck_contract_receipt_fen")),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["attachment.id"],
            name=op.f("fk_contract_receipt_attachment_id_attachment"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_contract_receipt_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["entered_by"],
            ["person.id"],
            name=op.f("fk_contract_receipt_entered_by_person"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"],
            ["contract_receipt.id"],
            name=op.f("fk_contract_receipt_reverses_id_contract_receipt"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_receipt")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_contract_receipt_reverses_id")),
    )
    with op.batch_alter_table("contract_receipt") as batch_op:
        batch_op.create_index(batch_op.f("ix_contract_receipt_contract_id"), ["contract_id"], unique=False)

    op.create_table(
        "expert_opinion",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("contract_id", Id, nullable=False),
        sa.Column("expert_name", sa.String(80), nullable=False),
        sa.Column("expert_unit", sa.String(200), nullable=False),
        sa.Column("verdict", sa.String(24), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("technology_fen", sa.BigInteger(), nullable=True),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("entered_by", Id, nullable=True),
        sa.CheckConstraint(
            "verdict IN ('technology_contract', 'other_kind', 'other_amount', 'not_technology')",
            name=op.f("ck_expert_opinion_verdict"),
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_expert_opinion_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["entered_by"],
            ["person.id"],
            name=op.f("fk_expert_opinion_entered_by_person"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_opinion")),
    )
    with op.batch_alter_table("expert_opinion") as batch_op:
        batch_op.create_index(batch_op.f("ix_expert_opinion_contract_id"), ["contract_id"], unique=False)

    op.create_table(
        "open_release",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("contract_id", Id, nullable=False),
        sa.Column("ocid", sa.String(64), nullable=False),
        sa.Column("release_id", sa.String(96), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("content", JsonDoc, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_open_release_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_open_release")),
        sa.UniqueConstraint("release_id", name=op.f("uq_open_release_release_id")),
    )
    with op.batch_alter_table("open_release") as batch_op:
        batch_op.create_index(batch_op.f("ix_open_release_contract_id"), ["contract_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_open_release_ocid"), ["ocid"], unique=False)
        batch_op.create_index(batch_op.f("ix_open_release_published_at"), ["published_at"], unique=False)

    op.create_table(
        "pricing_notice",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("result_id", Id, nullable=False),
        sa.Column("organisation_id", Id, nullable=False),
        sa.Column("contract_id", Id, nullable=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("abstract", sa.Text(), nullable=False),
        sa.Column("transfer_mode", sa.String(24), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("transferee_name", sa.String(200), nullable=False),
        sa.Column("transferee_id", Id, nullable=True),
        sa.Column("related_party", sa.Boolean(), nullable=False),
        sa.Column("relation_note", sa.Text(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("unit_place", sa.String(300), nullable=False),
        sa.Column("unit_from", sa.Date(), nullable=True),
        sa.Column("market_from", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'running', 'objected', 'expired', 'signed', 'withdrawn')",
            name=op.f("ck_pricing_notice_state"),
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_pricing_notice_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_pricing_notice_organisation_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["result_id"], ["result.id"], name=op.f("fk_pricing_notice_result_id_result"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["transferee_id"],
            ["organisation.id"],
            name=op.f("fk_pricing_notice_transferee_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pricing_notice")),
    )
    with op.batch_alter_table("pricing_notice") as batch_op:
        batch_op.create_index(batch_op.f("ix_pricing_notice_contract_id"), ["contract_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_pricing_notice_organisation_id"), ["organisation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_pricing_notice_result_id"), ["result_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_pricing_notice_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_pricing_notice_transferee_id"), ["transferee_id"], unique=False)

    op.create_table(
        "priority_right",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("result_id", Id, nullable=False),
        sa.Column("contract_id", Id, nullable=True),
        sa.Column("basis", sa.String(24), nullable=False),
        sa.Column("holder_name", sa.String(200), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("answer_by", sa.Date(), nullable=False),
        sa.Column("answer", sa.String(16), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("attachment_id", Id, nullable=True),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", Id, nullable=True),
        sa.CheckConstraint(
            "answer IN ('waiting', 'waived', 'exercised', 'silent')", name=op.f("ck_priority_right_answer")
        ),
        sa.CheckConstraint(
            "basis IN ('inventor', 'client', 'joint_developer')", name=op.f("ck_priority_right_basis")
        ),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["attachment.id"],
            name=op.f("fk_priority_right_attachment_id_attachment"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_priority_right_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["person.id"],
            name=op.f("fk_priority_right_created_by_person"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["result_id"], ["result.id"], name=op.f("fk_priority_right_result_id_result"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_priority_right")),
    )
    with op.batch_alter_table("priority_right") as batch_op:
        batch_op.create_index(batch_op.f("ix_priority_right_contract_id"), ["contract_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_priority_right_result_id"), ["result_id"], unique=False)

    op.create_table(
        "register_movement",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("contract_id", Id, nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=True),
        sa.Column("effective_on", sa.Date(), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subkind", sa.String(32), nullable=False),
        sa.Column("technical_field", sa.String(32), nullable=False),
        sa.Column("industry_code", sa.String(32), nullable=False),
        sa.Column("seller_region", sa.String(6), nullable=False),
        sa.Column("buyer_region", sa.String(6), nullable=False),
        sa.Column("seller_town", sa.String(80), nullable=False),
        sa.Column("buyer_town", sa.String(80), nullable=False),
        sa.Column("seller_nature", sa.String(3), nullable=False),
        sa.Column("buyer_nature", sa.String(3), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("taxonomy_version", sa.Integer(), nullable=False),
        sa.Column("contracts", sa.Integer(), nullable=False),
        sa.Column("deal_fen", sa.BigInteger(), nullable=False),
        sa.Column("technology_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_technology_fen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_register_movement_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_movement")),
    )
    with op.batch_alter_table("register_movement") as batch_op:
        batch_op.create_index(
            "ix_register_movement_changed_on_recorded_at", ["changed_on", "recorded_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_register_movement_contract_id"), ["contract_id"], unique=False)
        batch_op.create_index(
            "ix_register_movement_received_on_recorded_at", ["received_on", "recorded_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_register_movement_recorded_at"), ["recorded_at"], unique=False)
        batch_op.create_index(
            "ix_register_movement_registered_on_recorded_at", ["registered_on", "recorded_at"], unique=False
        )

    op.create_table(
        "snapshot_line",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("snapshot_id", Id, nullable=False),
        sa.Column("contract_id", Id, nullable=False),
        sa.Column("local_number", sa.String(32), nullable=False),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.Column("fen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_snapshot_line_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["snapshot_id"],
            ["snapshot.id"],
            name=op.f("fk_snapshot_line_snapshot_id_snapshot"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshot_line")),
        sa.UniqueConstraint(
            "snapshot_id", "contract_id", name=op.f("uq_snapshot_line_snapshot_id_contract_id")
        ),
    )
    with op.batch_alter_table("snapshot_line") as batch_op:
        batch_op.create_index(batch_op.f("ix_snapshot_line_contract_id"), ["contract_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_snapshot_line_snapshot_id"), ["snapshot_id"], unique=False)

    op.create_table(
        "trial",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("result_id", Id, nullable=False),
        sa.Column("owner_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("transfer_mode", sa.String(24), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("insured", sa.Boolean(), nullable=False),
        sa.Column("contract_id", Id, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('applied', 'agreed', 'in_trial', 'converted', 'ended', 'lapsed', 'refused')",
            name=op.f("ck_trial_state"),
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_trial_contract_id_contract"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["organisation.id"],
            name=op.f("fk_trial_owner_id_organisation"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["result_id"], ["result.id"], name=op.f("fk_trial_result_id_result"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["organisation.id"], name=op.f("fk_trial_user_id_organisation"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trial")),
    )
    with op.batch_alter_table("trial") as batch_op:
        batch_op.create_index(batch_op.f("ix_trial_contract_id"), ["contract_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_trial_owner_id"), ["owner_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_trial_result_id"), ["result_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_trial_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_trial_user_id"), ["user_id"], unique=False)

    op.create_table(
        "revenue_split",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("contract_id", Id, nullable=False),
        sa.Column("receipt_id", Id, nullable=True),
        sa.Column("income_fen", sa.BigInteger(), nullable=False),
        sa.Column("costs_fen", sa.BigInteger(), nullable=False),
        sa.Column("taxes_fen", sa.BigInteger(), nullable=False),
        sa.Column("net_fen", sa.BigInteger(), nullable=False),
        sa.Column("terms", JsonDoc, nullable=False),
        sa.Column("lines", JsonDoc, nullable=False),
        sa.Column("supersedes_id", Id, nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", Id, nullable=True),
        sa.CheckConstraint("net_fen >= 0", name=op.f("ck_revenue_split_net")),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["contract.id"],
            name=op.f("fk_revenue_split_contract_id_contract"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["person.id"], name=op.f("fk_revenue_split_made_by_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["receipt_id"],
            ["contract_receipt.id"],
            name=op.f("fk_revenue_split_receipt_id_contract_receipt"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["supersedes_id"],
            ["revenue_split.id"],
            name=op.f("fk_revenue_split_supersedes_id_revenue_split"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revenue_split")),
    )
    with op.batch_alter_table("revenue_split") as batch_op:
        batch_op.create_index(batch_op.f("ix_revenue_split_contract_id"), ["contract_id"], unique=False)

    with op.batch_alter_table("caliber") as batch_op:
        batch_op.add_column(
            sa.Column("dated_by", sa.String(16), nullable=False, server_default="registration")
        )
        batch_op.add_column(sa.Column("amendments", sa.String(16), nullable=False, server_default="restate"))
        batch_op.add_column(sa.Column("published_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("published_by", Id, nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_caliber_published_by_person"),
            "person",
            ["published_by"],
            ["id"],
            ondelete="RESTRICT",
        )
        batch_op.create_check_constraint(
            op.f("ck_caliber_dated_by"),
            sa.text("dated_by IN ('registration', 'signing', 'effect', 'receipt')"),
        )
        batch_op.create_check_constraint(
            op.f("ck_caliber_amendments"), sa.text("amendments IN ('restate', 'when_changed')")
        )
    one_of("caliber", "measure", (*MEASURES, "received"))

    with op.batch_alter_table("contract") as batch_op:
        batch_op.add_column(sa.Column("seller_town", sa.String(80), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("seller_nature", sa.String(3), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("seller_country", sa.String(3), nullable=False, server_default="CHN"))
        batch_op.add_column(sa.Column("buyer_town", sa.String(80), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("buyer_nature", sa.String(3), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("buyer_country", sa.String(3), nullable=False, server_default="CHN"))
        batch_op.add_column(sa.Column("price_form", sa.String(16), nullable=False, server_default="lump"))
        batch_op.add_column(sa.Column("instalments", JsonDoc, nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("entry_fee_fen", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("royalty_base", sa.String(16), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("royalty_ppm", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("currency", sa.String(3), nullable=False, server_default="CNY"))
        batch_op.add_column(sa.Column("foreign_minor", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("exchange_rate", sa.String(20), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("rate_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("ip", JsonDoc, nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("pricing_mode", sa.String(16), nullable=False, server_default=""))
        batch_op.add_column(
            sa.Column("trade_secret", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(
            sa.Column("taxonomy_version", sa.Integer(), nullable=False, server_default="2021")
        )
        batch_op.add_column(sa.Column("escalated_on", sa.Date(), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_contract_price_form"),
            sa.text("price_form IN ('lump', 'instalments', 'royalty', 'entry_royalty')"),
        )
    one_of("contract", "source", (*SOURCES, "trial", "declared"))

    with op.batch_alter_table("plan_target") as batch_op:
        batch_op.add_column(sa.Column("position", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("name", sa.String(120), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("name_en", sa.String(200), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("base_year", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("base_value", sa.String(40), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("note", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("note_en", sa.Text(), nullable=False, server_default=""))

    # Plain new columns: the table is not made anew, so its triggers stay.
    op.add_column("snapshot", sa.Column("known_at", UtcDateTime(), nullable=True))
    op.add_column("snapshot", sa.Column("signature", sa.String(200), nullable=False, server_default=""))
    op.add_column("snapshot", sa.Column("key_id", sa.String(64), nullable=False, server_default=""))
    op.add_column("snapshot", sa.Column("reason", sa.Text(), nullable=False, server_default=""))

    # Parties that are members: what the market knows of them now is the nearest to what they were.
    for side in ("seller", "buyer"):
        op.execute(
            f"UPDATE contract SET {side}_town = o.town, {side}_nature = o.nature_code, "  # noqa: S608
            f"{side}_country = o.country_code FROM organisation AS o WHERE o.id = contract.{side}_id"
        )
    record_movements(op.get_bind())
    if op.get_bind().dialect.name == "postgresql":
        for table in APPEND_ONLY:
            op.execute(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
            op.execute(
                f"CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
    else:
        for table in APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )


def downgrade() -> None:
    for column in ("reason", "key_id", "signature", "known_at"):
        op.drop_column("snapshot", column)

    with op.batch_alter_table("plan_target") as batch_op:
        batch_op.drop_column("note_en")
        batch_op.drop_column("note")
        batch_op.drop_column("base_value")
        batch_op.drop_column("base_year")
        batch_op.drop_column("name_en")
        batch_op.drop_column("name")
        batch_op.drop_column("position")

    with op.batch_alter_table("contract") as batch_op:
        batch_op.drop_constraint(op.f("ck_contract_price_form"), type_="check")
        batch_op.drop_column("escalated_on")
        batch_op.drop_column("taxonomy_version")
        batch_op.drop_column("trade_secret")
        batch_op.drop_column("pricing_mode")
        batch_op.drop_column("ip")
        batch_op.drop_column("rate_on")
        batch_op.drop_column("exchange_rate")
        batch_op.drop_column("foreign_minor")
        batch_op.drop_column("currency")
        batch_op.drop_column("royalty_ppm")
        batch_op.drop_column("royalty_base")
        batch_op.drop_column("entry_fee_fen")
        batch_op.drop_column("instalments")
        batch_op.drop_column("price_form")
        batch_op.drop_column("buyer_country")
        batch_op.drop_column("buyer_nature")
        batch_op.drop_column("buyer_town")
        batch_op.drop_column("seller_country")
        batch_op.drop_column("seller_nature")
        batch_op.drop_column("seller_town")
    one_of("contract", "source", SOURCES)

    with op.batch_alter_table("caliber") as batch_op:
        batch_op.drop_constraint(op.f("ck_caliber_dated_by"), type_="check")
        batch_op.drop_constraint(op.f("ck_caliber_amendments"), type_="check")
        batch_op.drop_constraint(batch_op.f("fk_caliber_published_by_person"), type_="foreignkey")
        batch_op.drop_column("published_by")
        batch_op.drop_column("published_at")
        batch_op.drop_column("amendments")
        batch_op.drop_column("dated_by")
    one_of("caliber", "measure", MEASURES)

    with op.batch_alter_table("revenue_split") as batch_op:
        batch_op.drop_index(batch_op.f("ix_revenue_split_contract_id"))

    op.drop_table("revenue_split")
    with op.batch_alter_table("trial") as batch_op:
        batch_op.drop_index(batch_op.f("ix_trial_user_id"))
        batch_op.drop_index(batch_op.f("ix_trial_state"))
        batch_op.drop_index(batch_op.f("ix_trial_result_id"))
        batch_op.drop_index(batch_op.f("ix_trial_owner_id"))
        batch_op.drop_index(batch_op.f("ix_trial_contract_id"))

    op.drop_table("trial")
    with op.batch_alter_table("snapshot_line") as batch_op:
        batch_op.drop_index(batch_op.f("ix_snapshot_line_snapshot_id"))
        batch_op.drop_index(batch_op.f("ix_snapshot_line_contract_id"))

    op.drop_table("snapshot_line")
    with op.batch_alter_table("register_movement") as batch_op:
        batch_op.drop_index("ix_register_movement_registered_on_recorded_at")
        batch_op.drop_index(batch_op.f("ix_register_movement_recorded_at"))
        batch_op.drop_index("ix_register_movement_received_on_recorded_at")
        batch_op.drop_index(batch_op.f("ix_register_movement_contract_id"))
        batch_op.drop_index("ix_register_movement_changed_on_recorded_at")

    op.drop_table("register_movement")
    with op.batch_alter_table("priority_right") as batch_op:
        batch_op.drop_index(batch_op.f("ix_priority_right_result_id"))
        batch_op.drop_index(batch_op.f("ix_priority_right_contract_id"))

    op.drop_table("priority_right")
    with op.batch_alter_table("pricing_notice") as batch_op:
        batch_op.drop_index(batch_op.f("ix_pricing_notice_transferee_id"))
        batch_op.drop_index(batch_op.f("ix_pricing_notice_state"))
        batch_op.drop_index(batch_op.f("ix_pricing_notice_result_id"))
        batch_op.drop_index(batch_op.f("ix_pricing_notice_organisation_id"))
        batch_op.drop_index(batch_op.f("ix_pricing_notice_contract_id"))

    op.drop_table("pricing_notice")
    with op.batch_alter_table("open_release") as batch_op:
        batch_op.drop_index(batch_op.f("ix_open_release_published_at"))
        batch_op.drop_index(batch_op.f("ix_open_release_ocid"))
        batch_op.drop_index(batch_op.f("ix_open_release_contract_id"))

    op.drop_table("open_release")
    with op.batch_alter_table("expert_opinion") as batch_op:
        batch_op.drop_index(batch_op.f("ix_expert_opinion_contract_id"))

    op.drop_table("expert_opinion")
    with op.batch_alter_table("contract_receipt") as batch_op:
        batch_op.drop_index(batch_op.f("ix_contract_receipt_contract_id"))

    op.drop_table("contract_receipt")
    with op.batch_alter_table("contract_flag") as batch_op:
        batch_op.drop_index(batch_op.f("ix_contract_flag_other_id"))
        batch_op.drop_index(batch_op.f("ix_contract_flag_contract_id"))
        batch_op.drop_index(batch_op.f("ix_contract_flag_closed_at"))

    op.drop_table("contract_flag")
    with op.batch_alter_table("open_licence") as batch_op:
        batch_op.drop_index(batch_op.f("ix_open_licence_state"))
        batch_op.drop_index(batch_op.f("ix_open_licence_result_id"))
        batch_op.drop_index(batch_op.f("ix_open_licence_organisation_id"))

    op.drop_table("open_licence")
    with op.batch_alter_table("pricing_event") as batch_op:
        batch_op.drop_index(batch_op.f("ix_pricing_event_subject_id"))
        batch_op.drop_index("ix_pricing_event_subject")

    op.drop_table("pricing_event")
    with op.batch_alter_table("plan_value") as batch_op:
        batch_op.drop_index("ix_plan_value_indicator_year")

    op.drop_table("plan_value")
    with op.batch_alter_table("objection") as batch_op:
        batch_op.drop_index(batch_op.f("ix_objection_subject_id"))
        batch_op.drop_index("ix_objection_subject")
        batch_op.drop_index(batch_op.f("ix_objection_organisation_id"))

    op.drop_table("objection")
    op.drop_table("register_clock")
