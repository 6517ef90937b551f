"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Violation:
    """A rule that the journal breaks; `seq` is 0 for the file as a whole."""

    seq: int
    code: str
    detail: str = ""

    def __str__(self) -> str:
        return f"seq {self.seq}: {self.code}" + (f" ({self.detail})" if self.detail else "")


@dataclass
class Report:
    """What the checker found. `outcome` is what the bids lead to, computed here."""

    lot: int | None = None
    entries: int = 0
    bids: int = 0
    head_hash: str = ""
    state: str = "draft"
    winner: int | None = None
    hammer_fen: int | None = None
    reason: str | None = None
    violations: list[Violation] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.violations

    @property
    def outcome(self) -> dict[str, Any]:
        """What the bids lead to, as computed here."""
        return {
            "lot": self.lot,
            "state": self.state,
            "winner": self.winner,
            "hammer_fen": self.hammer_fen,
            "reason": self.reason,
        }
