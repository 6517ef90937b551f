"""Sales have a mode and an end; lots name their organiser and the lot that they offer again; declared
relations; policies may follow a model.

Revision: 0007
Follows: 0006
"""

import json

import sqlalchemy as sa
from alembic import op

from market.db import Id, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STANDINGS = ("law", "draft", "local", "recalled")


def standings(names: tuple[str, ...]) -> None:
    values = ", ".join(f"'{name}'" for name in names)
    with op.batch_alter_table("policy") as batch:
        batch.drop_constraint(op.f("ck_policy_standing"), type_="check")
        batch.create_check_constraint(op.f("ck_policy_standing"), sa.text(f"standing IN ({values})"))


def organisers() -> None:
    """The organiser stood in the terms alone."""
    connection = op.get_bind()
    lot = sa.table("lot", sa.column("id"), sa.column("terms"), sa.column("organiser_organisation_id"))
    for row in connection.execute(sa.select(lot.c.id, sa.cast(lot.c.terms, sa.Text))).all():
        organiser = json.loads(row[1]).get("organiser_organisation_id")
        if organiser is not None:
            connection.execute(
                sa.update(lot).where(lot.c.id == row[0]).values(organiser_organisation_id=organiser)
            )


def upgrade() -> None:
    with op.batch_alter_table("sale") as batch:
        batch.add_column(sa.Column("mode", sa.String(16), nullable=False, server_default="parallel"))
        batch.add_column(sa.Column("ends_together", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("closed_at", UtcDateTime(), nullable=True))
        batch.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        batch.create_check_constraint(op.f("ck_sale_mode"), sa.text("mode IN ('parallel', 'sequential')"))
    with op.batch_alter_table("sale") as batch:
        for name in ("mode", "ends_together", "version"):
            batch.alter_column(name, server_default=None)
    with op.batch_alter_table("lot") as batch:
        batch.add_column(sa.Column("organiser_organisation_id", Id, nullable=True))
        batch.add_column(sa.Column("previous_lot_id", Id, nullable=True))
        batch.create_foreign_key(
            op.f("fk_lot_organiser_organisation_id_organisation"),
            "organisation",
            ["organiser_organisation_id"],
            ["id"],
            ondelete="RESTRICT",
        )
        batch.create_foreign_key(
            op.f("fk_lot_previous_lot_id_lot"), "lot", ["previous_lot_id"], ["id"], ondelete="RESTRICT"
        )
    op.create_index(op.f("ix_lot_organiser_organisation_id"), "lot", ["organiser_organisation_id"])
    op.create_index(op.f("ix_lot_previous_lot_id"), "lot", ["previous_lot_id"])
    organisers()
    with op.batch_alter_table("admission") as batch:
        batch.add_column(sa.Column("related_to", sa.String(16), nullable=True))
        batch.add_column(sa.Column("declaration", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("admission") as batch:
        batch.alter_column("declaration", server_default=None)
    op.create_table(
        "relation",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("organisation_id", Id, nullable=True),
        sa.Column("person_id", Id, nullable=True),
        sa.Column("other_organisation_id", Id, nullable=True),
        sa.Column("other_person_id", Id, nullable=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("declared_by", Id, nullable=True),
        sa.Column("declared_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('ownership', 'control', 'employment', 'family', 'other')", name=op.f("ck_relation_kind")
        ),
        sa.CheckConstraint("source IN ('bidder', 'seller', 'staff')", name=op.f("ck_relation_source")),
        sa.CheckConstraint("(organisation_id IS NULL) <> (person_id IS NULL)", name=op.f("ck_relation_one")),
        sa.CheckConstraint(
            "(other_organisation_id IS NULL) <> (other_person_id IS NULL)", name=op.f("ck_relation_other")
        ),
        *(
            sa.ForeignKeyConstraint(
                [name], [f"{table}.id"], name=op.f(f"fk_relation_{name}_{table}"), ondelete="RESTRICT"
            )
            for name, table in (
                ("organisation_id", "organisation"),
                ("person_id", "person"),
                ("other_organisation_id", "organisation"),
                ("other_person_id", "person"),
                ("declared_by", "person"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relation")),
    )
    for name in ("organisation_id", "person_id", "other_organisation_id", "other_person_id"):
        op.create_index(op.f(f"ix_relation_{name}"), "relation", [name])
    standings((*STANDINGS[:3], "model", STANDINGS[3]))


def downgrade() -> None:
    op.execute("UPDATE policy SET standing = 'recalled' WHERE standing = 'model'")
    standings(STANDINGS)
    op.drop_table("relation")
    with op.batch_alter_table("admission") as batch:
        batch.drop_column("declaration")
        batch.drop_column("related_to")
    op.drop_index(op.f("ix_lot_previous_lot_id"), "lot")
    op.drop_index(op.f("ix_lot_organiser_organisation_id"), "lot")
    with op.batch_alter_table("lot") as batch:
        batch.drop_constraint(op.f("fk_lot_previous_lot_id_lot"), type_="foreignkey")
        batch.drop_constraint(op.f("fk_lot_organiser_organisation_id_organisation"), type_="foreignkey")
        batch.drop_column("previous_lot_id")
        batch.drop_column("organiser_organisation_id")
    with op.batch_alter_table("sale") as batch:
        batch.drop_constraint(op.f("ck_sale_mode"), type_="check")
        for name in ("version", "closed_at", "ends_together", "mode"):
            batch.drop_column(name)
