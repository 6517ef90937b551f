"""Opening slips of sealed bids (开封凭条): the one line that makes an envelope and opens it again.

A slip is `lot:alias:amount:nonce`, the amount in fen: the very text whose SHA-256 is the commitment. So it
can be made and checked with any tool, and whoever keeps the line can open the envelope from any device.
The browser makes slips by itself (`static/js/room-sealed.js`); the market never asks for one before the
opening.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from auctions.rules.formats.sealed import seal
from market.money import MAX_FEN

NONCE_BYTES = 16
_SLIP = re.compile(r"(?<!\d)(\d{1,18}):(\d{1,9}):(\d{1,15}):([0-9a-f]{32,64})(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class Slip:
    """What opens an envelope. The amount is in fen."""

    lot_id: int
    alias: int
    amount_fen: int
    nonce: str

    @property
    def text(self) -> str:
        """The slip's line."""
        return f"{self.lot_id}:{self.alias}:{self.amount_fen}:{self.nonce}"

    @property
    def commitment(self) -> str:
        """The envelope: what is sent before the end."""
        return seal(self.lot_id, self.alias, self.amount_fen, self.nonce)


def make(lot_id: int, alias: int, amount_fen: int) -> Slip:
    """A new slip with a nonce that nobody can guess."""
    return Slip(lot_id, alias, amount_fen, secrets.token_hex(NONCE_BYTES))


def read(text: str) -> Slip | None:
    """The first slip in a text, which may be the whole printed page; None where there is none."""
    match = _SLIP.search(text)
    if match is None:
        return None
    lot_id, alias, amount_fen = (int(part) for part in match.groups()[:3])
    if not 0 < amount_fen <= MAX_FEN:
        return None
    return Slip(lot_id, alias, amount_fen, match[4])
