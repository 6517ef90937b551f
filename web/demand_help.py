"""Help at the form of a demand: hints in sentences, figures that could be targets, what is nearly the same already.

What a hint says stands in the terms catalogue; this is where a form becomes a draft, and a code a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from market.db import Session, t
from market.demands.models import Comparator, Demand, DemandTarget
from matching import drafting, duplicates, recommend
from matching.documents import Document, Key, Kind
from matching.drafting import Draft, DraftTarget, Figure, Hint
from matching.index import IndexState, SearchIndex
from matching.scoring import Band
from web import i18n
from web.forms import Form
from web.matches import href_of

SHOWN = 3
"""Results and demands shown beside a form."""
_SIGN = {"at_least": "≥ ", "at_most": "≤ ", "about": "≈ ", "between": ""}


@dataclass(frozen=True)
class ShownHint:
    """A hint as a page and the API show it. `field` is the input's name, `words` quote what caused it."""

    code: str
    field: str
    message: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class FoundFigure:
    """A figure of the text that could be a target. `value` is what the button sends to add it."""

    figure: Figure
    text: str
    value: str


@dataclass(frozen=True)
class Like:
    """A listing that a draft would meet or repeat."""

    id: int
    href: str
    title: str
    owner_name: str
    band: Band | None = None
    own: bool = False


@dataclass(frozen=True)
class DemandHelp:
    """What is shown beside the form. `looked` says whether the index was asked; `building`, that it cannot be."""

    hints: list[ShownHint]
    figures: list[FoundFigure]
    results: list[Like]
    demands: list[Like]
    looked: bool
    building: bool


def draft_of(form: Form) -> Draft:
    """What is entered so far, however incomplete. Rows of targets keep their index in the form."""

    def texts(name: str) -> str:
        return form.value(name).replace("\r\n", "\n")

    targets = tuple(
        (
            row,
            DraftTarget(
                *(form.value(f"targets.{row}.{part}").strip() for part in ("name", "threshold", "unit", "condition"))
            ),
        )
        for row in form.rows("targets")
    )  # fmt: skip
    return Draft(
        title=texts("title"),
        difficulty=texts("difficulty"),
        research=texts("research"),
        background=texts("background"),
        experts=texts("experts"),
        industry=form.value("industry_code"),
        keywords=tuple(word.strip() for word in form.values("keywords") if word.strip()),
        targets=targets,
        has_mode=any(form.values("modes")),
        has_budget=bool(form.value("budget_low_fen").strip() or form.value("budget_high_fen").strip()),
        has_deadline=bool(form.value("deadline").strip()),
    )


def document_of(draft: Draft, listing_id: int | None = None, owner_id: int = 0) -> Document:
    """A draft as it would be compared once published."""
    targets = (f"{one.name} {one.threshold} {one.unit}".strip() for _, one in draft.targets)
    prose = (draft.difficulty, draft.research, *targets, draft.background)
    return Document(
        key=Key(Kind.DEMAND, listing_id or 0),
        title=draft.title.strip(),
        text="\n".join(part for part in prose if part.strip()),
        keywords=draft.keywords,
        industry=draft.industry,
        owner_id=owner_id,
    )


def help_for(
    draft: Draft,
    language: str,
    session: Session | None = None,
    index: SearchIndex | None = None,
    *,
    listing_id: int | None = None,
    own: Iterable[int] = (),
) -> DemandHelp:
    """The hints, and with an index what the draft would meet. `own` are the asker's organisations."""
    shown = [shown_hint(hint, language) for hint in drafting.check(draft)]
    figures = [_found(figure) for figure in drafting.figures(draft)]
    if session is None or index is None:
        return DemandHelp(shown, figures, [], [], looked=False, building=False)
    if index.state is IndexState.BUILDING:
        return DemandHelp(shown, figures, [], [], looked=True, building=True)
    mine = set(own)
    document = document_of(draft, listing_id)
    fitting = recommend.partners_of(document, session, index, SHOWN) if document.title else []
    near = duplicates.near_demands(document, session, index, SHOWN)
    return DemandHelp(
        hints=shown,
        figures=figures,
        results=[_like(one.document, mine, one.band) for one in fitting if one.band is not Band.WEAK],
        demands=[_like(one.document, mine) for one in near],
        looked=True,
        building=False,
    )


def _like(document: Document, mine: set[int], band: Band | None = None) -> Like:
    return Like(
        document.key.id,
        href_of(document.key),
        document.title,
        document.owner_name,
        band,
        document.owner_id in mine,
    )


def shown_hint(hint: Hint, language: str) -> ShownHint:
    """A hint in words."""
    between = i18n.term("list.separator", language)
    marks = ("“", "”")
    params = {
        "words": between.join(f"{marks[0]}{words}{marks[1]}" for words in hint.words),
        "question": i18n.term(f"HintTopic.{hint.topic}", language) if hint.topic else "",
        "conditions": between.join(i18n.term(f"HintCondition.{key}", language) for key in hint.conditions),
    }
    message = i18n.term(f"HintCode.{hint.code.value}", language, params)
    return ShownHint(hint.code.value, hint.field, message, hint.words)


def _found(figure: Figure) -> FoundFigure:
    high = f"–{figure.threshold_high}" if figure.threshold_high else ""
    text = f"{figure.name} {_SIGN[figure.comparator]}{figure.threshold}{high} {figure.unit}"
    parts = [figure.name, figure.comparator, figure.threshold, figure.threshold_high, figure.unit]
    return FoundFigure(figure, text, json.dumps(parts, ensure_ascii=False))


def with_target(form: Form) -> Form:
    """The form with the figure that its button `add_target` names as one more row; unchanged for nonsense."""
    try:
        parts = json.loads(form.value("add_target"))
    except ValueError:
        return form
    if not (isinstance(parts, list) and len(parts) == 5 and all(isinstance(part, str) for part in parts)):
        return form
    if parts[1] not in {comparator.value for comparator in Comparator}:
        return form
    row = max(form.rows("targets"), default=-1) + 1
    names = ("name", "comparator", "threshold", "threshold_high", "unit")
    entered = {name: values for name, values in form.entered.items() if name != "add_target"}
    entered.update({f"targets.{row}.{name}": [part[:120]] for name, part in zip(names, parts, strict=True)})
    return replace(form, entered=entered)


def hints_left(session: Session, demand_ids: Sequence[int]) -> dict[int, int]:
    """How many hints each demand would still get. Two statements."""
    d, g = t(Demand).c, t(DemandTarget).c
    targets: dict[int, list[DraftTarget]] = {}
    for row in session.execute(
        sa.select(g.demand_id, g.name, g.threshold, g.unit, g.condition).where(g.demand_id.in_(demand_ids))
    ):
        targets.setdefault(row.demand_id, []).append(
            DraftTarget(row.name, row.threshold, row.unit, row.condition)
        )
    rows = session.execute(
        sa.select(
            d.id, d.title, d.difficulty, d.research, d.background, d.experts, d.industry_code, d.modes,
            d.budget_low_fen, d.budget_high_fen, d.deadline,
        ).where(d.id.in_(demand_ids))
    )  # fmt: skip
    return {
        row.id: len(
            drafting.check(
                Draft(
                    title=row.title,
                    difficulty=row.difficulty,
                    research=row.research,
                    background=row.background,
                    experts=row.experts,
                    industry=row.industry_code,
                    targets=tuple(enumerate(targets.get(row.id, []))),
                    has_mode=bool(row.modes),
                    has_budget=row.budget_low_fen is not None or row.budget_high_fen is not None,
                    has_deadline=row.deadline is not None,
                )
            )
        )
        for row in rows
    }
