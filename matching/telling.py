"""Which words of a query tell entries apart. What was measured, and how, `embedded.search` says."""

from collections.abc import Mapping

MOST_TERMS = 40
"""Terms kept of a long query: demand texts have hundreds, and the common ones only cost time."""
_COMMON_SHARE = 0.1
"""Words that a greater share of entries holds are left out,"""
_COMMON_ENTRIES = 50
"""if so many entries hold them,"""
_LEAST_TERMS = 5
"""and so many words remain."""
_RARE_SHARE = 0.005


def telling(frequency: Mapping[str, int], documents: int) -> list[str]:
    """The terms worth asking for, rare ones first. `frequency`: how many of the `documents` hold each."""
    known = sorted(frequency, key=frequency.__getitem__)[:MOST_TERMS]
    common = max(_COMMON_ENTRIES, documents * _COMMON_SHARE)
    found = [term for term in known if frequency[term] <= common]
    return known[:_LEAST_TERMS] if len(found) < _LEAST_TERMS else found


def is_rare(frequency: int, documents: int) -> bool:
    """Whether one word that so many entries hold is enough to find them by."""
    return frequency <= documents * _RARE_SHARE
