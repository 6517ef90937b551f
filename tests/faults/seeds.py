"""The seed of a fault test: new each time, printed, and repeated with FAULT_SEED."""

from __future__ import annotations

import os
import random


def seed() -> int:
    """A new seed, or the one in the environment."""
    number = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"FAULT_SEED={number}")
    return number
