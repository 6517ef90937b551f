"""A published caliber cannot be edited: only its last day may be set, once. The plan's ninth indicator has its whole name.

Figures already published name a caliber's version, and figures of today are counted by the newest; an edited version would
change what both say without a trace. Setting `valid_to` takes a caliber out of use and changes no number.

Revision: 0012
Follows: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEPT = (
    "id", "code", "version", "name", "name_en", "measure", "side", "region_code", "dated_by", "amendments", "is_default",
    "valid_from", "note", "note_en", "published_at", "published_by",
)  # fmt: skip
"""Columns that stand for good; `states` is compared as text, for JSON has no equality on PostgreSQL."""
SHORT, WHOLE = "技术交易总额占GDP比重", "技术交易总额相当于地区生产总值比重"


def upgrade() -> None:
    _rename(SHORT, WHOLE)
    same = {
        "postgresql": [f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in KEPT]
        + ["NEW.states::text = OLD.states::text"],
        "sqlite": [f"NEW.{name} IS OLD.{name}" for name in (*KEPT, "states")],
    }[op.get_bind().dialect.name]
    ended = " AND ".join(["OLD.valid_to IS NULL AND NEW.valid_to IS NOT NULL", *same])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE ON caliber FOR EACH ROW WHEN (NOT ({ended})) "
            "EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER append_only_rows BEFORE DELETE ON caliber FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON caliber "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb, when in (("update", f"WHEN NOT ({ended}) "), ("delete", "")):
        op.execute(
            f"CREATE TRIGGER caliber_no_{verb} BEFORE {verb.upper()} ON caliber {when}"
            "BEGIN SELECT RAISE(ABORT, 'caliber is append-only'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name in ("append_only", "append_only_rows", "append_only_whole"):
            op.execute(f"DROP TRIGGER {name} ON caliber")
    else:
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER caliber_no_{verb}")
    _rename(WHOLE, SHORT)


def _rename(before: str, after: str) -> None:
    target = sa.table("plan_target", sa.column("indicator"), sa.column("name"))
    op.execute(
        sa.update(target)
        .where(target.c.indicator == "technology_transactions_gdp_share", target.c.name == before)
        .values(name=after)
    )
