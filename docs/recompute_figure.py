"""Recompute a published figure from its download: the sum, the number of contracts, the share, the fingerprint.

    python recompute_figure.py figure-2024-C4-1.json

Needs nothing but Python. Prints what was published beside what was recomputed and ends with 1 where they
differ. Amounts are integers in fen; the share is in percent with four decimals, rounded half up. Download
and fingerprint are described in verification.md, with the signature, which this script does not check.
"""

import hashlib
import json
import pathlib
import sys


def recompute(download):
    """Pairs by name: what was published, what comes out."""
    content = download["content"]
    contracts = content["contracts"]
    numerator = sum(one["fen"] for one in contracts)
    denominator = content["gdp_release"]["value_fen"]
    # In ten-thousandths of a percent; whole numbers only, half rounded up.
    share = (2 * numerator * 10**6 + denominator) // (2 * denominator)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    found = {
        "numerator (fen)": (content["numerator_fen"], numerator),
        "denominator (fen)": (content["denominator_fen"], denominator),
        "share (%)": (content["share_percent"], f"{share // 10**4}.{share % 10**4:04d}"),
        "fingerprint": (download["sha256"], hashlib.sha256(text.encode("utf-8")).hexdigest()),
        "contracts told once": (len(contracts), len({one["id"] for one in contracts})),
    }
    counted = content.get("contract_count", len(contracts))
    # Where changes or receipts count by their own day, a period tells of contracts that another one counts.
    if content["caliber"]["amendments"] == "restate":
        found["contracts"] = (counted, len(contracts))
    return found


def main(path):
    """Print the comparison; returns how many differ."""
    found = recompute(json.loads(pathlib.Path(path).read_text(encoding="utf-8")))
    wrong = 0
    for name, (published, recomputed) in found.items():
        same = published == recomputed
        wrong += not same
        print("same" if same else "DIFFERENT", name, published, recomputed, sep="\t")
    return wrong


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(1 if main(sys.argv[1]) else 0)
