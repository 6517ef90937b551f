"""Who asked whom, the next step and when it is due (对接)."""
