"""The page of one contract: what it says, its life, and the forms that its parties and officials find on it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from starlette.responses import Response

from market.clock import local_date
from market.deals import evidence, policies, price, queries, receipts, rules
from market.deals.deadlines import CLOCKED
from market.deals.evidence import Proof, Wanted
from market.deals.models import ContractKind, ContractState, ContractSubkind, EvidenceKind
from market.deals.policies import Policy
from market.deals.queries import Change, ContractDetail
from market.deals.receipts import Ledger
from market.deals.rules import Step
from market.permissions import Action, reaches
from market.scrutiny import flag_queries, objections, opinions
from market.scrutiny.flag_queries import FlagView
from market.scrutiny.models import ObjectionState, Verdict
from market.scrutiny.objections import ObjectionView
from market.scrutiny.opinions import OpinionView
from market.taxonomy.queries import region_names
from web import countries
from web.forms import Form
from web.render import Page


def percent(ppm: int | None) -> str | None:
    """Millionths as percent without needless zeros: 35,000 is `3.5`."""
    return None if ppm is None else f"{Decimal(ppm) / 10_000:f}"


@dataclass(frozen=True)
class DetailPage:
    """Context of one contract."""

    contract: ContractDetail
    steps: list[Step]
    may_edit: bool
    step_form: Form
    policy: Policy | None
    calendar_known: bool
    days_left: int | None
    doubts: list[str]
    region: dict[str, str]
    reasoned: frozenset[Step]
    missing: frozenset[str]
    changes: list[Change]
    typed: list[tuple[str, str]]
    opinions: list[OpinionView]
    may_opine: bool
    opinion_form: Form
    verdicts: list[Verdict]
    kinds: list[ContractKind]
    subkinds: dict[ContractKind, tuple[ContractSubkind, ...]]
    objections: list[ObjectionView]
    may_object: bool
    may_decide: bool
    objection_form: Form
    decision_form: Form
    own_organisations: list[tuple[int, str]]
    ledger: Ledger | None
    may_receive: bool
    receipt_form: Form
    reverse_form: Form
    proofs: list[Proof]
    missing_evidence: list[Wanted]
    may_attach: bool
    may_remove_files: bool
    file_kinds: list[EvidenceKind]
    file_form: Form
    natures: dict[str, str]
    countries: dict[str, str]
    royalty_percent: str | None
    foreign_amount: str
    flags: list[FlagView]


def _typed(form: Form, steps: list[Step]) -> list[tuple[str, str]]:
    """What was typed into the form of a step that can no longer be taken, so that it can be read and copied."""
    if form.value("step") in {step.value for step in steps}:
        return []
    return [
        (name.split(".")[-1], value)
        for name, values in form.entered.items()
        for value in values
        if value and name not in ("step", "version")
    ]


def _answer(form: Form | None, against: list[ObjectionView]) -> list[tuple[str, str]]:
    """The answer typed to an objection that is not open any more."""
    if form is None or any(
        one.id == form.number("objection_id") and one.state is ObjectionState.OPEN for one in against
    ):
        return []
    return [("answer", form.value("answer"))]


def detail(
    page: Page,
    contract_id: int,
    *,
    step: Form | None = None,
    receipt: Form | None = None,
    reversal: Form | None = None,
    file: Form | None = None,
    opinion: Form | None = None,
    objection: Form | None = None,
    decision: Form | None = None,
    since: int | None = None,
) -> Response:
    """The page of one contract, with what was typed where a form on it was refused.

    `since` is the version that somebody had read whose form came too late: what happened since is told.
    """
    today = local_date(page.now)
    with page.parts.db.read() as session:
        found = queries.contract(session, page.actor, contract_id)
        policy, known, left = None, True, None
        if found.accepted_on is not None and found.technology_fen is not None:
            policy = policies.limit_for(session, found.technology_fen, found.accepted_on)
            if policy is not None:
                known = rules.deadline(found.accepted_on, policy.value, policy.unit).calendar_known
        if found.decide_by is not None and found.state in CLOCKED:
            left = rules.working_days_left(today, found.decide_by)
        places = region_names(session, {found.seller_region, found.buyer_region}, page.language)
        ledger, proofs, told = None, [], []
        flags = flag_queries.of_contract(session, page.actor, contract_id)
        changes = [] if since is None else queries.changes_since(session, page.actor, contract_id, since)
        against = objections.of_contract(session, page.actor, contract_id, detail=found.detail)
        if found.detail:
            told = opinions.opinions(session, page.actor, contract_id)
            ledger = receipts.ledger(session, contract_id, price.instalments_of(found.instalments), today)
            proofs = evidence.proofs(session, page.actor, contract_id)
    registers = page.actor.can(Action.CONTRACT_REGISTER)
    steps = queries.steps_for(page.actor, found)
    writes = found.detail and reaches(page.actor, Action.CONTRACT_EDIT, found.seller_id, found.buyer_id)
    missing = (
        rules.missing_to_submit(
            title=found.title,
            technical_field=found.technical_field,
            signed_on=found.signed_on,
            deal_fen=found.deal_fen or 0,
            today=today,
        )
        if found.detail and found.state is ContractState.DRAFT
        else []
    )
    context = DetailPage(
        contract=found,
        steps=steps,
        may_edit=queries.may_edit(page.actor, found),
        step_form=step or Form(),
        policy=policy,
        calendar_known=known,
        days_left=left,
        doubts=rules.registration_number_doubts(
            found.registration_number, found.registered_on, page.parts.settings.region_code
        )
        if found.detail
        else [],
        region=places,
        reasoned=rules.REASONED,
        missing=frozenset(name for name, _, _ in missing),
        changes=changes,
        typed=_typed(step, steps) if step is not None and since is not None else _answer(decision, against),
        opinions=told,
        may_opine=registers and found.state is ContractState.EXPERT_REVIEW,
        opinion_form=opinion or Form(),
        verdicts=list(Verdict),
        kinds=list(ContractKind),
        subkinds=rules.SUBKINDS,
        objections=against,
        may_object=found.state is ContractState.REGISTERED,
        may_decide=registers,
        objection_form=objection or Form(),
        decision_form=decision or Form(),
        own_organisations=sorted({(m.organisation_id, m.organisation_name) for m in page.actor.memberships}),
        ledger=ledger,
        may_receive=writes and found.state in receipts.OPEN_TO_RECEIPTS,
        receipt_form=receipt or Form(),
        reverse_form=reversal or Form(),
        proofs=proofs,
        missing_evidence=evidence.missing(
            {one.kind for one in proofs}, has_ip=bool(found.ip), has_deductions=bool(found.deductions)
        )
        if found.detail and found.state not in rules.PUBLIC
        else [],
        may_attach=writes,
        may_remove_files=writes and found.state in rules.EDITABLE,
        file_kinds=list(EvidenceKind),
        file_form=file or Form(),
        natures={
            code: f"party_nature.{price.nature_group(code)}"
            for code in (found.seller_nature, found.buyer_nature)
            if code
        },
        countries={
            code: countries.name(code, page.language)
            for code in (found.seller_country, found.buyer_country)
            if code not in ("", "CHN")
        },
        royalty_percent=percent(found.royalty_ppm),
        foreign_amount=price.in_units(found.foreign_minor, found.currency) if found.foreign_minor else "",
        flags=flags,
    )
    return page.render("contracts/detail.html", context)
