"""What searching and matching keep; a result may be merged into another, an enquiry may be for a demand.

Revision: 0008
Follows: 0007
"""

import sqlalchemy as sa
from alembic import op

from market.db import Id, JsonDoc, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "embedding",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("text_hash", sa.String(64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embedding")),
        sa.UniqueConstraint("model", "text_hash", name=op.f("uq_embedding_model_text_hash")),
    )
    op.create_table(
        "match_weights",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("weights", JsonDoc, nullable=False),
        sa.Column("report", JsonDoc, nullable=False),
        sa.Column("trained_at", UtcDateTime(), nullable=False),
        sa.Column("trained_by", Id, nullable=True),
        sa.Column("adopted_at", UtcDateTime(), nullable=True),
        sa.Column("adopted_by", Id, nullable=True),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["adopted_by"],
            ["person.id"],
            name=op.f("fk_match_weights_adopted_by_person"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["trained_by"],
            ["person.id"],
            name=op.f("fk_match_weights_trained_by_person"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_weights")),
    )
    op.create_table(
        "saved_search",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("query", sa.String(1500), nullable=False),
        sa.Column("alert", sa.Boolean(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_saved_search_person_id_person"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search")),
        sa.UniqueConstraint("person_id", "query", name=op.f("uq_saved_search_person_id_query")),
    )
    with op.batch_alter_table("saved_search") as batch_op:
        batch_op.create_index(batch_op.f("ix_saved_search_checked_at"), ["checked_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_saved_search_person_id"), ["person_id"], unique=False)

    op.create_table(
        "search_synonyms",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("words", JsonDoc, nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("changed_by", Id, nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["changed_by"],
            ["person.id"],
            name=op.f("fk_search_synonyms_changed_by_person"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_synonyms")),
    )
    op.create_table(
        "match_judgment",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("demand_id", Id, nullable=False),
        sa.Column("result_id", Id, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("organisation_id", Id, nullable=True),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("source IN ('click', 'queue', 'contact')", name=op.f("ck_match_judgment_source")),
        sa.CheckConstraint("level BETWEEN 1 AND 4", name=op.f("ck_match_judgment_level")),
        sa.ForeignKeyConstraint(
            ["demand_id"], ["demand.id"], name=op.f("fk_match_judgment_demand_id_demand"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_match_judgment_person_id_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["result_id"], ["result.id"], name=op.f("fk_match_judgment_result_id_result"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_judgment")),
        sa.UniqueConstraint(
            "demand_id",
            "result_id",
            "person_id",
            "source",
            name=op.f("uq_match_judgment_demand_id_result_id_person_id_source"),
        ),
    )
    with op.batch_alter_table("match_judgment") as batch_op:
        batch_op.create_index(batch_op.f("ix_match_judgment_at"), ["at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_match_judgment_organisation_id"), ["organisation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_match_judgment_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_match_judgment_result_id"), ["result_id"], unique=False)

    op.create_table(
        "not_duplicate",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("one_id", Id, nullable=False),
        sa.Column("other_id", Id, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("one_id < other_id", name=op.f("ck_not_duplicate_order")),
        sa.ForeignKeyConstraint(
            ["one_id"], ["result.id"], name=op.f("fk_not_duplicate_one_id_result"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["result.id"], name=op.f("fk_not_duplicate_other_id_result"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_not_duplicate_person_id_person"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_not_duplicate")),
        sa.UniqueConstraint("one_id", "other_id", name=op.f("uq_not_duplicate_one_id_other_id")),
    )
    with op.batch_alter_table("not_duplicate") as batch_op:
        batch_op.create_index(batch_op.f("ix_not_duplicate_other_id"), ["other_id"], unique=False)

    op.create_table(
        "look_alike",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("one_id", Id, nullable=False),
        sa.Column("other_id", Id, nullable=False),
        sa.Column("grounds", JsonDoc, nullable=False),
        sa.Column("numbers", JsonDoc, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("one_id < other_id", name=op.f("ck_look_alike_order")),
        sa.ForeignKeyConstraint(
            ["one_id"], ["result.id"], name=op.f("fk_look_alike_one_id_result"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["result.id"], name=op.f("fk_look_alike_other_id_result"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_look_alike")),
        sa.UniqueConstraint("one_id", "other_id", name=op.f("uq_look_alike_one_id_other_id")),
    )
    with op.batch_alter_table("look_alike") as batch_op:
        batch_op.create_index(batch_op.f("ix_look_alike_other_id"), ["other_id"], unique=False)
        batch_op.create_index("ix_look_alike_rank", ["rank", "id"], unique=False)

    op.create_table(
        "saved_search_told",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("search_id", Id, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("row_id", Id, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["search_id"],
            ["saved_search.id"],
            name=op.f("fk_saved_search_told_search_id_saved_search"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search_told")),
        sa.UniqueConstraint(
            "search_id", "kind", "row_id", name=op.f("uq_saved_search_told_search_id_kind_row_id")
        ),
    )
    with op.batch_alter_table("saved_search_told") as batch_op:
        batch_op.create_index(batch_op.f("ix_saved_search_told_row_id"), ["row_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_saved_search_told_search_id"), ["search_id"], unique=False)

    op.create_table(
        "proposal",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("demand_id", Id, nullable=False),
        sa.Column("result_id", Id, nullable=False),
        sa.Column("industry_code", sa.String(32), nullable=False),
        sa.Column("band", sa.String(16), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("reasons", JsonDoc, nullable=False),
        sa.Column("weights_id", Id, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("assigned_to", Id, nullable=True),
        sa.Column("snoozed_until", sa.Date(), nullable=True),
        sa.Column("reject_reason", sa.String(32), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("enquiry_id", Id, nullable=True),
        sa.Column("decided_by", Id, nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "reject_reason IS NULL OR reject_reason IN ('other_problem', 'too_early', 'too_expensive', 'conditions', 'known', 'duplicate', 'other')",
            name=op.f("ck_proposal_reject_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('suggested', 'snoozed', 'accepted', 'rejected', 'lapsed')",
            name=op.f("ck_proposal_state"),
        ),
        sa.ForeignKeyConstraint(
            ["assigned_to"], ["person.id"], name=op.f("fk_proposal_assigned_to_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_proposal_decided_by_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["demand_id"], ["demand.id"], name=op.f("fk_proposal_demand_id_demand"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["enquiry_id"], ["enquiry.id"], name=op.f("fk_proposal_enquiry_id_enquiry"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["result_id"], ["result.id"], name=op.f("fk_proposal_result_id_result"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["weights_id"],
            ["match_weights.id"],
            name=op.f("fk_proposal_weights_id_match_weights"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
        sa.UniqueConstraint("demand_id", "result_id", name=op.f("uq_proposal_demand_id_result_id")),
    )
    with op.batch_alter_table("proposal") as batch_op:
        batch_op.create_index(batch_op.f("ix_proposal_assigned_to"), ["assigned_to"], unique=False)
        batch_op.create_index(batch_op.f("ix_proposal_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_proposal_enquiry_id"), ["enquiry_id"], unique=False)
        batch_op.create_index("ix_proposal_queue", ["state", "industry_code", "rank"], unique=False)
        batch_op.create_index(batch_op.f("ix_proposal_result_id"), ["result_id"], unique=False)

    op.create_table(
        "proposal_event",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("proposal_id", Id, nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("person_id", Id, nullable=True),
        sa.Column("params", JsonDoc, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_proposal_event_person_id_person"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.id"],
            name=op.f("fk_proposal_event_proposal_id_proposal"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_event")),
    )
    with op.batch_alter_table("proposal_event") as batch_op:
        batch_op.create_index(batch_op.f("ix_proposal_event_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_proposal_event_proposal_id"), ["proposal_id"], unique=False)

    with op.batch_alter_table("enquiry") as batch_op:
        batch_op.add_column(sa.Column("for_demand_id", Id, nullable=True))
        batch_op.create_index(batch_op.f("ix_enquiry_for_demand_id"), ["for_demand_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_enquiry_for_demand_id_demand"),
            "demand",
            ["for_demand_id"],
            ["id"],
            ondelete="RESTRICT",
        )

    with op.batch_alter_table("result") as batch_op:
        batch_op.add_column(sa.Column("merged_into_id", Id, nullable=True))
        batch_op.create_index(batch_op.f("ix_result_merged_into_id"), ["merged_into_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_result_merged_into_id_result"),
            "result",
            ["merged_into_id"],
            ["id"],
            ondelete="RESTRICT",
        )

    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON proposal_event "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON proposal_event "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    else:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER proposal_event_no_{verb.lower()} BEFORE {verb} ON proposal_event "
                "BEGIN SELECT RAISE(ABORT, 'proposal_event is append-only'); END"
            )


def downgrade() -> None:
    with op.batch_alter_table("result") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_result_merged_into_id_result"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_result_merged_into_id"))
        batch_op.drop_column("merged_into_id")

    with op.batch_alter_table("enquiry") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_enquiry_for_demand_id_demand"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_enquiry_for_demand_id"))
        batch_op.drop_column("for_demand_id")

    with op.batch_alter_table("proposal_event") as batch_op:
        batch_op.drop_index(batch_op.f("ix_proposal_event_proposal_id"))
        batch_op.drop_index(batch_op.f("ix_proposal_event_at"))

    op.drop_table("proposal_event")
    with op.batch_alter_table("proposal") as batch_op:
        batch_op.drop_index(batch_op.f("ix_proposal_result_id"))
        batch_op.drop_index("ix_proposal_queue")
        batch_op.drop_index(batch_op.f("ix_proposal_enquiry_id"))
        batch_op.drop_index(batch_op.f("ix_proposal_created_at"))
        batch_op.drop_index(batch_op.f("ix_proposal_assigned_to"))

    op.drop_table("proposal")
    with op.batch_alter_table("saved_search_told") as batch_op:
        batch_op.drop_index(batch_op.f("ix_saved_search_told_search_id"))
        batch_op.drop_index(batch_op.f("ix_saved_search_told_row_id"))

    op.drop_table("saved_search_told")
    with op.batch_alter_table("look_alike") as batch_op:
        batch_op.drop_index("ix_look_alike_rank")
        batch_op.drop_index(batch_op.f("ix_look_alike_other_id"))

    op.drop_table("look_alike")
    with op.batch_alter_table("not_duplicate") as batch_op:
        batch_op.drop_index(batch_op.f("ix_not_duplicate_other_id"))

    op.drop_table("not_duplicate")
    with op.batch_alter_table("match_judgment") as batch_op:
        batch_op.drop_index(batch_op.f("ix_match_judgment_result_id"))
        batch_op.drop_index(batch_op.f("ix_match_judgment_person_id"))
        batch_op.drop_index(batch_op.f("ix_match_judgment_organisation_id"))
        batch_op.drop_index(batch_op.f("ix_match_judgment_at"))

    op.drop_table("match_judgment")
    op.drop_table("search_synonyms")
    with op.batch_alter_table("saved_search") as batch_op:
        batch_op.drop_index(batch_op.f("ix_saved_search_person_id"))
        batch_op.drop_index(batch_op.f("ix_saved_search_checked_at"))

    op.drop_table("saved_search")
    op.drop_table("match_weights")
    op.drop_table("embedding")
