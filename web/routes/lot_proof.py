"""Proof for everybody: journals and receipts checked on public pages, and confirmations of sale."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.responses import Response

from auctions import lookups, proof, queries, receipts
from auctions.lookups import Place
from auctions.proof import Opened, Places
from auctions.queries import LotDetail
from auctions.rules.state import ENDED, LotState
from auctions.verify import Report, Violation
from market.errors import InvalidInput, NotFound, SignInRequired, Unavailable, WrongState
from web import confirmations, i18n, rate, refusals
from web.deps import FormDep, PageDep, ReadTx, RowId
from web.errors import field_problems
from web.forms import Form
from web.proofs import KeptReports, checker_archive
from web.render import Page
from web.routes.lots import may_have_confirmation

router = APIRouter()

MOST_MB = 20
"""Largest journal that is checked here, MiB; a larger one is for the command."""
MOST_LINES = 100_000
"""Lines of a file that are read; a true journal of `MOST_MB` has fewer."""
MOST_RECEIPTS = 500
MOST_RECEIPT_BYTES = 4 * 2**20
SHOWN = 50
"""Violations named on the page; the rest are counted."""
_SLOT = threading.BoundedSemaphore(1)
"""One file is checked at a time: it takes seconds of a processor that bids are waiting for."""


@dataclass(frozen=True)
class Shown:
    """A violation in words."""

    seq: int
    code: str
    sentence: str
    detail: str


def in_words(violations: Sequence[Violation], language: str) -> list[Shown]:
    """The first violations as sentences."""
    return [
        Shown(one.seq, one.code, violation_sentence(one.code, language), one.detail[:300])
        for one in violations[:SHOWN]
    ]


def violation_sentence(code: str, language: str) -> str:
    """What a violation's code means."""
    key = f"violation.{code}"
    return i18n.term(key if i18n.has_term(key, language) else "violation.other", language)


@dataclass(frozen=True)
class CheckedReceipt:
    """A receipt and what was found about it."""

    opened: Opened
    lot_known: bool
    """Whether the journal was there to look into."""
    sentence: str = ""
    """Why the bid was refused, as the bidder was told."""


@dataclass(frozen=True)
class LotVerifyPage:
    """Context of a lot's verification."""

    lot: LotDetail
    ended: bool
    report: Report | None
    violations: list[Shown]
    closing: Place | None
    claim: Literal["none", "match", "mismatch"]
    claimed_seq: int | None
    claimed: Place | None
    receipt: CheckedReceipt | None
    public_key: str
    key_id: str
    base_url: str


@router.get("/lots/{lot_id}/verify")
def verify_lot(
    page: PageDep,
    lot_id: RowId,
    seq: str = "",
    hash: str = "",  # noqa: A002
    receipt: str = "",
) -> Response:
    """What the checker finds about an ended lot; `seq` and `hash` of a confirmation are compared.

    `receipt` names one of the asker's own bids, whose receipt is then checked too.
    """
    claimed_seq = int(seq) if seq.isascii() and seq.isdigit() and len(seq) < 10 else None
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id)
        claimed = lookups.entry_at(session, lot_id, claimed_seq) if claimed_seq else None
        closing = lookups.closing(session, lot_id)
        checked = _own_receipt(page, session, lot_id, receipt) if receipt else None
    ended = lot.card.state in ENDED
    kept: KeptReports = page.request.app.state.reports
    report = kept.report(page.parts.db, lot_id, lot.head_hash) if ended else None
    claim: Literal["none", "match", "mismatch"] = "none"
    if seq or hash:
        same = claimed is not None and claimed.hash == hash.strip().lower()
        claim = "match" if same else "mismatch"
    return page.render(
        "lots/verify.html",
        LotVerifyPage(
            lot,
            ended,
            report,
            in_words(report.violations, page.language) if report else [],
            closing,
            claim,
            claimed_seq,
            claimed,
            checked,
            page.parts.public_key,
            page.parts.signer.key_id,
            page.parts.settings.base_url.rstrip("/"),
        ),
    )


def _own_receipt(page: Page, session: Any, lot_id: int, client_bid_id: str) -> CheckedReceipt:
    """The asker's own receipt, looked for in the journal. Raises SignInRequired, NotFound."""
    if page.actor.person_id is None:
        raise SignInRequired
    answer = lookups.answer(session, lot_id, page.actor.person_id, client_bid_id)
    if answer is None:
        raise NotFound
    opened = proof.open_receipt(proof.bare(answer), page.parts.signer.public_key)
    if opened.content is not None:
        proof.judge(opened, lookups.places(session, lot_id, [opened.content]))
    return CheckedReceipt(opened, True, _refusal(opened, page.language))


def _refusal(opened: Opened, language: str) -> str:
    content = opened.content
    if content is None or content["accepted"]:
        return ""
    params = content.get("params")
    return refusals.sentence(str(content.get("code")), params if isinstance(params, dict) else {}, language)


@router.get("/lots/{lot_id}/receipts.json")
def download_receipts(page: PageDep, session: ReadTx, lot_id: RowId) -> Response:
    """The asker's own receipts of a lot, as `market verify --receipt` reads them."""
    if page.actor.person_id is None:
        raise SignInRequired
    queries.lot_detail(session, lot_id)
    answers = queries.bid_answers(session, lot_id, page.actor.person_id, 10_000)
    own = [answer.receipt for answer in reversed(answers)]
    return Response(
        json.dumps(own, ensure_ascii=False, indent=1),
        media_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="lot-{lot_id}-receipts.json"',
            "Cache-Control": "private, no-store",
        },
    )


@dataclass(frozen=True)
class VerifyPage:
    """Context of the page on which anyone checks a file."""

    form: Form
    public_key: str
    base_url: str
    most_mb: int = MOST_MB
    report: Report | None = None
    violations: list[Shown] = field(default_factory=list)
    receipts: list[CheckedReceipt] = field(default_factory=list)
    own_key: bool = True
    done: bool = False


def _verify_page(page: Page, form: Form, **found: Any) -> Response:
    base = page.parts.settings.base_url.rstrip("/")
    return page.render("lots/verify_file.html", VerifyPage(form, page.parts.public_key, base, **found))


@router.get("/verify")
def show_verify(page: PageDep) -> Response:
    """The form: a journal file, receipts, a key."""
    return _verify_page(page, Form.from_values({"key": page.parts.public_key}))


@router.post("/verify")
def verify_file(page: PageDep, form: FormDep) -> Response:
    """Check what was sent, show what was found, keep nothing."""
    address = page.request.client.host if page.request.client else ""
    rate.spend(page.parts, rate.VERIFICATIONS, address)
    try:
        found = _check(page, form)
    except InvalidInput as error:
        response = _verify_page(page, form.with_problems(field_problems(error, page.language)))
        response.status_code = 422
        return response
    return _verify_page(page, form, done=True, **found)


def _check(page: Page, form: Form) -> dict[str, Any]:
    """The findings. Raises InvalidInput."""
    files, pasted = form.files.get("journal", []), form.value("receipt").strip()
    if not files and not pasted and not form.files.get("receipts"):
        raise InvalidInput([("journal", "nothing_to_verify", {})])
    try:
        key = proof.parse_key(form.value("key") or page.parts.public_key)
    except ValueError:
        raise InvalidInput([("key", "not_a_key", {})]) from None
    written = [("receipts", _receipt_text(upload)) for upload in form.files.get("receipts", [])]
    if pasted:
        written.append(("receipt", pasted))
    opened: list[Opened] = []
    for field_name, text in written:
        try:
            opened += [proof.open_receipt(one, key) for one in proof.read_receipts(text)]
        except proof.NotReceipts:
            raise InvalidInput([(field_name, "not_a_receipt", {})]) from None
    del opened[MOST_RECEIPTS:]
    found: dict[str, Any] = {"own_key": key == page.parts.signer.public_key}
    if files:
        report, places = _check_file(files[0], opened)
        found |= {"report": report, "violations": in_words(report.violations, page.language)}
        known = {places.lot_id}
        for one in opened:
            proof.judge(one, places)
    else:
        known = _judge_here(page, opened)
    found["receipts"] = [
        CheckedReceipt(
            one,
            one.content is not None and one.content["lot_id"] in known,
            _refusal(one, page.language),
        )
        for one in opened
    ]
    return found


def _receipt_text(upload: UploadFile) -> str:
    """What a file of receipts holds. Raises InvalidInput for one that is too large or no text."""
    content = upload.file.read(MOST_RECEIPT_BYTES + 1)
    if len(content) > MOST_RECEIPT_BYTES:
        raise InvalidInput([("receipts", "receipts_too_large", {"mb": MOST_RECEIPT_BYTES // 2**20})])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput([("receipts", "not_a_receipt", {})]) from None


def _judge_here(page: Page, opened: Sequence[Opened]) -> set[int | None]:
    """Judge receipts by this market's own journals; the lots that are known here."""
    cited: dict[int, list[Opened]] = {}
    for one in opened:
        if one.content is not None and 0 < one.content["lot_id"] < 2**63:
            cited.setdefault(one.content["lot_id"], []).append(one)
    known: set[int | None] = set()
    with page.parts.db.read() as session:
        for lot_id, of_lot in list(cited.items())[:SHOWN]:
            places = lookups.places(session, lot_id, [one.content for one in of_lot if one.content])
            if places.lot_id is None:
                continue
            known.add(lot_id)
            for one in of_lot:
                proof.judge(one, places)
    return known


def _check_file(upload: UploadFile, opened: Sequence[Opened]) -> tuple[Report, Places]:
    """The checker's report on an uploaded journal. Raises InvalidInput for what is none, Unavailable."""
    if upload.size is not None and upload.size > MOST_MB * 1024 * 1024:
        raise InvalidInput([("journal", "journal_too_large", {"mb": MOST_MB})])
    if not _SLOT.acquire(blocking=False):
        raise Unavailable(retry_after=5)
    text = io.TextIOWrapper(upload.file, encoding="utf-8-sig")
    try:
        return proof.check(_journal_lines(text), opened)
    except UnicodeDecodeError:
        raise InvalidInput([("journal", "journal_not_text", {})]) from None
    finally:
        text.detach()
        _SLOT.release()


def _journal_lines(lines: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a file whose first says that it is a journal. Raises InvalidInput."""
    first = ""
    while not first.strip():
        first = lines.readline()
        if not first:
            raise InvalidInput([("journal", "journal_empty", {})])
    try:
        head = orjson.loads(first)
    except orjson.JSONDecodeError:
        raise InvalidInput([("journal", _not_json(first), {})]) from None
    if not isinstance(head, dict) or head.get("type") != "terms":
        code = "receipt_for_journal" if _looks_signed(head) else "not_a_journal"
        raise InvalidInput([("journal", code, {})])
    yield first
    for number, line in enumerate(lines, 2):
        if number > MOST_LINES:
            raise InvalidInput([("journal", "journal_too_large", {"mb": MOST_MB})])
        yield line


def _not_json(first: str) -> str:
    # Receipts as they are downloaded begin with a bracket alone on its line.
    return "receipt_for_journal" if first.strip() in ("[", "[{") else "journal_not_json"


def _looks_signed(value: Any) -> bool:
    one = value[0] if isinstance(value, list) and value else value
    return isinstance(one, dict) and ("signature" in one or "receipt" in one)


@router.get("/verify/checker.pyz")
def download_checker() -> Response:
    """The checker itself: one file that needs nothing but Python."""
    return Response(
        checker_archive(),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="checker.pyz"'},
    )


@router.get("/lots/{lot_id}/confirmation.pdf")
def download_confirmation(page: PageDep, lot_id: RowId) -> Response:
    """The confirmation of sale (成交确认书), for the winner, the seller and the market's staff."""
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id)
        if not may_have_confirmation(page.actor, lot):
            raise NotFound
        if lot.card.state is not LotState.SOLD:
            raise WrongState(state=lot.card.state.value, action="confirmation")
        facts = confirmations.read(session, lot)
    key_id = receipts.key_id(page.parts.signer.public_key)
    pdf = confirmations.make(facts, page.parts.settings, key_id, page.language)
    name = f"confirmation-{lot_id}-{facts.closing.seq}.pdf"
    return Response(
        pdf,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="{name}"',
            "Content-Language": page.language,
            "Cache-Control": "private, no-store",
        },
    )
