"""The bank: transfers asked for, statement lines explained, pay-outs ordered and seen to leave."""
