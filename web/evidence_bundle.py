"""The evidence of a deal as one ZIP: every file, an index as PDF and as JSON, and a list of digests.

`index.pdf` names each file with its SHA-256; `index.json` says the same for programs; `SHA256SUMS` is in the
form that `sha256sum -c` reads. A file whose bytes are not what they were when it was kept stops the bundle.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from market.clock import SHANGHAI
from market.deals.queries import ContractDetail
from market.errors import Unavailable
from market.files.queries import FileView
from market.files.store import FileStore
from market.pricing.evidence import Evidence
from web import i18n
from web.confirmations import font, typeset
from web.render import day, local, money
from web.settings import Settings

TEMPLATE = Path(__file__).parent / "documents" / "evidence.typ"
BLOCK = 64 * 1024
IN_MEMORY = 8 * 1024 * 1024

Say = Callable[..., str]


@dataclasses.dataclass(frozen=True)
class Kept:
    """A file of the bundle: where it lies in it, and what it proves."""

    path: str
    what: str
    sha256: str
    size: int
    content: bytes | None = None
    """The bytes of a document made for the bundle; None for a file that lies in the store."""


Made = tuple[str, str, bytes]
"""A document made for the bundle: its name, what it is (a key of the terms), its bytes."""


def kept_files(found: Evidence, made: Sequence[Made], say: Callable[[str], str]) -> list[Kept]:
    """The files of a bundle, numbered in their order. `say` names a key of the terms."""
    files: list[tuple[FileView, str]] = [
        (proof.file, say(f"EvidenceKind.{proof.kind.value}")) for proof in found.files
    ]
    files += [
        (found.papers[one.id], f"{say('PricingSubject.priority')} · {one.holder_name}")
        for one in found.rights
        if one.id in found.papers
    ]
    kept: list[tuple[str, str, str, int, bytes | None]] = [
        (file.name, what, file.sha256, file.size, None) for file, what in files
    ]
    kept += [
        (name, say(key), hashlib.sha256(content).hexdigest(), len(content), content)
        for name, key, content in made
    ]
    return [
        Kept(f"files/{number:03d} {name}", what, digest, size, content)
        for number, (name, what, digest, size, content) in enumerate(kept, 1)
    ]


def document(
    found: Evidence, files: Sequence[Kept], settings: Settings, now: dt.datetime, language: str
) -> dict[str, Any]:
    """Everything that the index sets, as plain JSON."""

    def say(key: str, **params: Any) -> str:
        return i18n.term(key, language, params)

    chinese = language == "zh-Hans"
    at = now.astimezone(SHANGHAI)
    contract = found.contract
    return {
        "lang": "zh" if chinese else "en",
        "region": "cn" if chinese else "gb",
        "font": [font()],
        "market": settings.name if chinese else settings.name_en,
        "title": say("bundle.title"),
        "number": contract.local_number,
        "mark": say("confirmation.demo") if settings.demo else "",
        "intro": say("bundle.intro", at=local(now)),
        "sections": [
            _section(say, "contract", _contract(contract, say)),
            _section(
                say, "files", [[one.path.removeprefix("files/"), one.what, one.sha256] for one in files],
                [4, 2, 4], ("name", "what", "sha256"),
            ),
            *_notices(found, say),
            _section(
                say, "rights",
                [
                    [
                        one.holder_name, say(f"PriorityBasis.{one.basis.value}"), day(one.asked_on),
                        day(one.answer_by), say(f"PriorityAnswer.{one.answer.value}"), day(one.answered_on),
                    ]
                    for one in found.rights
                ],
                [3, 4, 2, 2, 2, 2], ("holder", "basis", "asked_on", "answer_by", "answer", "answered_on"),
            ),
            *_splits(found, say),
            *_trials(found, say),
            _section(say, "events", [_event(one, say) for one in contract.events], [3, 2, 2, 4], _LIFE),
            *_flags(found, say),
        ],
        "date": [at.year, at.month, at.day, at.hour, at.minute, at.second],
    }  # fmt: skip


_LIFE = ("at", "step", "actor", "note")


def _section(
    say: Say,
    key: str,
    rows: Sequence[Sequence[str]],
    widths: Sequence[int] = (),
    head: Sequence[str] = (),
    title: str = "",
) -> dict[str, Any]:
    return {
        "title": title or say(f"bundle.{key}"),
        "none": say("bundle.none"),
        "head": [say(f"bundle.head.{name}") for name in head],
        "widths": list(widths),
        "rows": [list(row) for row in rows],
    }


def _contract(one: ContractDetail, say: Say) -> list[list[str]]:
    return [
        [say("field.title"), one.title],
        [say("bundle.local_number"), one.local_number],
        [say("field.registration_number"), one.registration_number or "—"],
        [say("field.seller"), one.seller_name],
        [say("field.buyer"), one.buyer_name],
        [say("bundle.kind"), say(f"ContractKind.{one.kind.value}")],
        [say("field.deal_fen"), money(one.deal_fen)],
        [say("field.technology_fen"), money(one.technology_fen)],
        [say("bundle.source"), _source(one, say)],
        [say("field.pricing_mode"), say(f"PricingMode.{one.pricing_mode}") if one.pricing_mode else "—"],
        [say("field.signed_on"), day(one.signed_on)],
        [say("field.registered_on"), day(one.registered_on)],
        [say("field.state"), say(f"ContractState.{one.state.value}")],
        [say("field.related_party"), say("bundle.yes" if one.related_party else "bundle.no")],
    ]


def _source(one: ContractDetail, say: Say) -> str:
    number = one.source_lot_id or one.source_enquiry_id
    source = say(f"ContractSource.{one.source.value}")
    return source if number is None else f"{source} {number}"


def _actor(name: str, say: Say) -> str:
    return say("via.system") if name == "system" else name or "—"


def _event(one: Any, say: Say) -> list[str]:
    note = one.reason
    if one.amounts_changed:
        note = f"{money(one.deal_fen_before)} → {money(one.deal_fen_after)} {note}"
    return [local(one.at), say(f"ContractStep.{one.step}"), _actor(one.actor_name, say), note.strip() or "—"]


def _notices(found: Evidence, say: Say) -> list[dict[str, Any]]:
    if not found.notices:
        return [_section(say, "notices", [])]
    sections = []
    for one in found.notices:
        rows = [
            [say("field.price_fen"), money(one.price_fen)],
            [say("field.transferee_name"), one.transferee_name],
            [say("field.transfer_mode"), say(f"CooperationMode.{one.transfer_mode.value}")],
            [say("field.related_party"), one.relation_note or say("bundle.no")],
            [say("field.unit_place"), one.unit_place or "—"],
            [say("field.unit_from"), day(one.unit_from)],
            [say("field.market_from"), day(one.market_from)],
            [say("field.ends_on"), day(one.ends_on)],
            [say("field.state"), say(f"NoticeState.{one.state.value}")],
            [say("field.procedure"), one.procedure],
        ]
        title = f"{say('bundle.notices')} {one.id}"
        sections.append(_section(say, "notices", rows, title=title))
        life = [
            [local(e.at), say(f"NoticeStep.{e.step}"), _actor(e.actor_name, say), e.reason or "—"]
            for e in one.events
        ]
        sections.append(
            _section(say, "life", life, [3, 2, 2, 4], _LIFE, title=f"{title} · {say('bundle.life')}")
        )
        if one.objections:
            objections = [
                [
                    local(o.filed_at), say(f"ObjectionState.{o.state.value}"), o.objector_name or "—",
                    " / ".join(text for text in (o.grounds, o.answer) if text) or "—",
                ]
                for o in one.objections
            ]  # fmt: skip
            heading = f"{title} · {say('bundle.objections')}"
            sections.append(_section(say, "objections", objections, [3, 2, 2, 4], _LIFE, title=heading))
    return sections


def _splits(found: Evidence, say: Say) -> list[dict[str, Any]]:
    if not found.sees_splits:
        return []
    rows = [
        [
            local(one.made_at), say("bundle.stands" if one.stands else "bundle.superseded"),
            say(f"split_part.{line['part']}"), line["name"] or "—", money(line["fen"]),
        ]
        for one in found.splits
        for line in one.lines
    ]  # fmt: skip
    return [_section(say, "splits", rows, [3, 2, 3, 2, 2], ("at", "standing", "part", "who", "amount"))]


def _trials(found: Evidence, say: Say) -> list[dict[str, Any]]:
    rows = [
        [
            one.user_name, money(one.price_fen), f"{day(one.starts_on)} – {day(one.ends_on)}",
            say(f"TrialState.{one.state.value}"),
        ]
        for one in found.trials
    ]  # fmt: skip
    return [_section(say, "trials", rows, [3, 2, 3, 2], ("who", "amount", "days", "state"))] if rows else []


def _flags(found: Evidence, say: Say) -> list[dict[str, Any]]:
    rows = [
        [say(f"FlagKind.{one.kind.value}"), local(one.raised_at), local(one.closed_at), one.reason or "—"]
        for one in found.flags
    ]
    return [_section(say, "flags", rows, [3, 2, 2, 4], ("flag", "at", "closed", "note"))] if rows else []


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


def make(
    found: Evidence,
    made: Sequence[Made],
    store: FileStore,
    settings: Settings,
    now: dt.datetime,
    language: str,
) -> IO[bytes]:
    """The ZIP, at its beginning, in memory or in a file that goes with it. `made` documents come with it.

    Raises FontMissing, and Unavailable when a file is gone or is not what it was.
    """
    files = kept_files(found, made, lambda key: i18n.term(key, language))
    stamp = now.astimezone(SHANGHAI).timetuple()[:6]
    index = typeset(TEMPLATE, document(found, files, settings, now, language), now)
    listed = [{"path": one.path, "what": one.what, "size": one.size, "sha256": one.sha256} for one in files]
    facts = json.dumps(
        {**_plain(found), "made_at": now.isoformat(), "files": listed}, ensure_ascii=False, indent=1
    ).encode()
    sums = {one.path: one.sha256 for one in files}
    out = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
    try:
        with zipfile.ZipFile(out, "w") as archive:
            for path, content in (("index.pdf", index), ("index.json", facts)):
                sums[path] = hashlib.sha256(content).hexdigest()
                archive.writestr(_entry(path, stamp), content, zipfile.ZIP_DEFLATED)
            for one in files:
                if one.content is not None:
                    archive.writestr(_entry(one.path, stamp), one.content)
                else:
                    _copy(archive, _entry(one.path, stamp), one.sha256, store)
            lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(sums.items()))
            archive.writestr(_entry("SHA256SUMS", stamp), lines.encode())
    except BaseException:
        out.close()
        raise
    out.seek(0)
    return out


def _entry(path: str, stamp: Any) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, stamp)
    entry.external_attr = 0o644 << 16
    return entry


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, sha256: str, store: FileStore) -> None:
    digest = hashlib.sha256()
    try:
        source = store.open(sha256)
    except FileNotFoundError:
        raise Unavailable from None
    with source, archive.open(entry, "w") as target:
        while block := source.read(BLOCK):
            digest.update(block)
            target.write(block)
    if digest.hexdigest() != sha256:
        raise Unavailable
