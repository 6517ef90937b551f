"""An independent checker of exported journals.

It reads nothing but the lines that `market lot export` writes, and shares no code with the engine: the
rules are written a second time (`auctions/checker`), from their text (docs/auction-formats.md), so that one
mistake cannot hide in both. Anyone may run it: `python -m auctions.verify journal.jsonl`. Only the standard
library is needed.

What is checked, by code:
  line_malformed, no_terms, terms_hash            the file itself; the terms are those that were hashed
  unknown_format, bad_terms                       terms that this checker does not know, or that cannot be
  seq_gap, broken_chain, body_mismatch            1. numbering and the hash chain over the stored bytes
  time_backwards, illegal_transition, no_announcement, after_the_end, state_mismatch
  act_unknown, wrong_standing, wrong_detail, false_match        2. bids: what they are
  bid_below_start, bid_too_low, bid_off_step, bid_above_cap, bid_too_far, bid_by_leader,
  deposit_does_not_cover                          their amounts
  maxima_not_taken, wrong_price, wrong_leader, wrong_answer, answer_missing, answer_out_of_place,
  maximum_contradicted, secret_differs, secret_missing, secret_out_of_place      maxima
  envelope_malformed, envelope_missing, opening_differs, opened_twice, opening_skipped   sealed bids
  wrong_step, wrong_price                         falling prices
  royalty_out_of_range, wrong_score, score_too_low                               price and royalty
  bid_by_stranger, bad_admission, deposit_short, opened_identity, barred_bidder, one_party_twice
                                                  3. who may bid
  bid_while_closed, bid_after_end, received_in_future, wrong_extension, extension_not_allowed,
  end_moved_back, wrong_shift                     4. when
  closed_early, closed_late, not_closed_at_once, wrong_outcome, reserve_opening, second_outcome, wrong_default
                                                  5. the outcome
  receipt_missing, receipt_differs                6. receipts given beside the journal

While a lot runs its maxima are sealed; afterwards all are open but what the last leader would still have
paid. Where one is sealed, the entries bound it, and the bounds must not contradict each other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from auctions.checker.formats import FORMATS
from auctions.checker.lot import Lot, table_good
from auctions.checker.reading import BROKEN, File
from auctions.checker.report import Report, Violation

__all__ = ["Report", "Violation", "main", "verify_lines"]


def verify_lines(lines: Iterable[str], receipts: Iterable[Mapping[str, Any]] = ()) -> Report:
    """Check an exported journal; `receipts` are contents of accepted bids' receipts that must be in it.

    Raises nothing for what the lines hold.
    """
    file = File()
    file.read(lines)
    if file.terms:
        _play(file)
    for receipt in receipts:
        if receipt.get("accepted"):
            _receipt(file, receipt)
    return file.report


def _play(file: File) -> None:
    terms = file.terms
    if terms.get("v") not in (1, 2, 3) or terms.get("format") not in FORMATS:
        file.wrong("unknown_format", f"{terms.get('format')}, version {terms.get('v')}", 0)
        return
    try:
        lot = Lot(file, FORMATS)
        good = table_good(lot.terms["steps"]) and lot.settlement_good() and lot.format.terms_good()
    except BROKEN as error:
        file.wrong("bad_terms", repr(error), 0)
        return
    if good:
        lot.play()
    else:
        file.wrong("bad_terms", seq=0)


def _receipt(file: File, receipt: Mapping[str, Any]) -> None:
    seq, name = receipt["seq"], str(receipt.get("client_bid_id"))
    if file.hashes.get(seq) != receipt["hash"]:
        file.wrong("receipt_missing", name, seq)
        return
    body = next((body for body in file.bodies if body["seq"] == seq), {})
    told = {name: receipt[name] for name in ("alias", "act", "received_at") if name in receipt}
    entry = {"act": "bid", **body}
    differs = [name for name, value in told.items() if entry.get(name) != value]
    amount, secret = entry.get("amount_fen"), file.secrets.get(seq)
    if secret is not None:
        amount = secret["maximum_fen"]
    # What is still sealed may be any amount.
    if (entry.get("sealed") is None or secret is not None) and receipt.get("amount_fen", amount) != amount:
        differs.append("amount_fen")
    detail = entry.get("detail", {})
    differs += [name for name, value in receipt.get("extra", {}).items() if detail.get(name) != value]
    if body.get("kind") != "bid_accepted" or differs:
        file.wrong("receipt_differs", f"{name}: {', '.join(differs)}", seq)


def main(arguments: Sequence[str]) -> int:
    """Check the named files; 0 when all are clean, 1 when not, 2 without a file."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    status = 0
    for path in arguments:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            report = verify_lines(file)
        print(
            json.dumps(
                {
                    "file": path,
                    "lot": report.lot,
                    "clean": report.clean,
                    "entries": report.entries,
                    "bids": report.bids,
                    "state": report.state,
                    "winner": report.winner,
                    "hammer_fen": report.hammer_fen,
                    "reason": report.reason,
                    "head_hash": report.head_hash,
                    "violations": [[v.seq, v.code, v.detail] for v in report.violations],
                },
                ensure_ascii=False,
            )
        )
        status = max(status, 0 if report.clean else 1)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
