"""The page of one contract: what it says, its life, and the forms that its parties and officials find on it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from starlette.responses import Response

from market.clock import local_date
from market.deals import evidence, policies, price, queries, receipts, rules
from market.deals.evidence import Proof, Wanted
from market.deals.models import ContractState, EvidenceKind
from market.deals.policies import Policy
from market.deals.queries import ContractDetail
from market.deals.receipts import Ledger
from market.deals.recording import reaches
from market.deals.rules import Step
from market.permissions import Action
from market.taxonomy.queries import region_names
from web import countries
from web.forms import Form
from web.render import Page

CLOCKED = (ContractState.ACCEPTED, ContractState.EXPERT_REVIEW)
"""States in which the registrar's clock runs."""


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


def detail(
    page: Page,
    contract_id: int,
    *,
    step: Form | None = None,
    receipt: Form | None = None,
    reversal: Form | None = None,
    file: Form | None = None,
) -> Response:
    """The page of one contract, with what was typed where a form on it was refused."""
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
        ledger, proofs = None, []
        if found.detail:
            ledger = receipts.ledger(session, contract_id, price.instalments_of(found.instalments), today)
            proofs = evidence.proofs(session, page.actor, contract_id)
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
        steps=queries.steps_for(page.actor, found),
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
        ledger=ledger,
        may_receive=writes and found.state in receipts.OPEN_TO_RECEIPTS,
        receipt_form=receipt or Form(),
        reverse_form=reversal or Form(),
        proofs=proofs,
        missing_evidence=evidence.missing(
            {one.kind for one in proofs}, has_ip=bool(found.ip), has_deductions=bool(found.deductions)
        )
        if found.detail
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
    )
    return page.render("contracts/detail.html", context)
