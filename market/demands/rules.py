"""Decisions about demands. States and steps are those of `market.listings.rules`."""

from __future__ import annotations

import datetime as dt

from market.listings.rules import Problem, missing_contact


def missing_for_publication(
    *,
    title: str,
    difficulty: str,
    industry_code: str,
    targets: int,
    deadline: dt.date | None,
    today: dt.date,
    contact_name: str,
    contact_phone: str,
    contact_email: str,
    imported: bool,
) -> list[Problem]:
    """What a demand lacks before it may be shown.

    A vague need finds nobody: the difficulty and at least one target figure are compulsory. An imported
    demand needs a title, the difficulty and an industry; what its source did not say stays unsaid.
    """
    missing: list[Problem] = [
        (name, "missing", {})
        for name, value in (("title", title), ("difficulty", difficulty), ("industry_code", industry_code))
        if not value.strip()
    ]
    if imported:
        return missing
    if targets == 0:
        missing.append(("targets", "targets_missing", {}))
    if deadline is not None and deadline < today:
        missing.append(("deadline", "date_past", {}))
    return missing + missing_contact(contact_name, contact_phone, contact_email)
