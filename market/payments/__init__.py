"""The ledger of deposits and fees, and the gateway port."""
