"""Why a command was refused: a value, not an exception, for a refusal is an ordinary answer."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class RefusalCode(enum.StrEnum):
    """The rule that refused. Part of the public protocol: never reuse one."""

    NOT_ADMITTED = "not_admitted"
    LOT_NOT_OPEN = "lot_not_open"
    LOT_PAUSED = "lot_paused"
    LOT_ENDED = "lot_ended"
    BID_AFTER_END = "bid_after_end"
    BID_BELOW_START = "bid_below_start"
    """Params: `minimum_fen`."""
    BID_TOO_LOW = "bid_too_low"
    """Params: `minimum_fen`, `price_fen`."""
    BID_OFF_STEP = "bid_off_step"
    """Params: `step_fen`, `lower_fen`, `upper_fen` (the nearest allowed amounts)."""
    BID_ABOVE_CAP = "bid_above_cap"
    """Params: `cap_fen`."""
    BID_TOO_FAR = "bid_too_far"
    """Params: `maximum_fen`."""
    LEADER_CANNOT_RAISE = "leader_cannot_raise"
    ACT_NOT_TAKEN = "act_not_taken"
    """The format, or its present phase, does not know such a bid. Params: `act`."""
    AMOUNT_MISSING = "amount_missing"
    MAXIMUM_NOT_HIGHER = "maximum_not_higher"
    """A maximum may only be raised. Params: `maximum_fen` (the bidder's own)."""
    MAXIMA_NOT_TAKEN = "maxima_not_taken"
    """The terms take no maxima."""
    DEPOSIT_DOES_NOT_COVER = "deposit_does_not_cover"
    """Params: `limit_fen`, the most that this bidder's deposit covers."""
    COMMITMENT_MALFORMED = "commitment_malformed"
    NOT_SEALED = "not_sealed"
    """Nothing to open: no envelope came before the end."""
    OPENING_DIFFERS = "opening_differs"
    """Amount and nonce do not give the commitment."""
    ALREADY_OPENED = "already_opened"
    PRICE_MOVED = "price_moved"
    """A take named another step than the one in force. Params: `step`, `price_fen`."""
    ROYALTY_OUT_OF_RANGE = "royalty_out_of_range"
    """Params: `low_bp`, `high_bp`."""
    SCORE_TOO_LOW = "score_too_low"
    """Params: `score`, `minimum_score` (decimal text, points)."""
    RELATED_TO_SELLER = "related_to_seller"
    """A relation to the seller, the organiser or the staff was declared."""
    DEPOSIT_NOT_HELD = "deposit_not_held"
    """The deposit of the admission is no longer held."""
    ORGANISATION_SUSPENDED = "organisation_suspended"
    NO_MORE_EXTENSIONS = "no_more_extensions"
    """Params: `extensions`."""
    CLIENT_BID_ID_REUSED = "client_bid_id_reused"
    """The same id came before with another body."""
    WRONG_LOT_STATE = "wrong_lot_state"
    """Params: `state`, `command`."""
    NOT_DUE = "not_due"
    """Params: `due_at`."""
    TERMS_CANNOT_BE_PUBLISHED = "terms_cannot_be_published"
    """Params: `problems`."""
    BARRED_FROM_BIDDING = "barred_from_bidding"
    """Seller, organiser, or named in the terms."""
    STAFF_MAY_NOT_BID = "staff_may_not_bid"
    DEPOSIT_MISSING = "deposit_missing"
    """Params: `deposit_fen`."""
    DEPOSIT_LATE = "deposit_late"
    """The deposit was not held at its deadline. Params: `due_at`."""
    ALREADY_ADMITTED = "already_admitted"
    LEADER_CANNOT_LEAVE = "leader_cannot_leave"
    """The holder of the standing bid keeps the admission."""
    BIDS_EXIST = "bids_exist"
    """A lot with a bid can be cancelled, not withdrawn."""
    REASON_MISSING = "reason_missing"
    CLOSINGS_PAUSED = "closings_paused"
    """The clock jumped; nothing closes until it is trusted again."""
    NO_SUCH_LOT = "no_such_lot"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command was refused by `code`; `seq` is the journal entry that made it so."""

    code: RefusalCode
    seq: int
    params: Mapping[str, Any] = field(default_factory=dict)
