"""The rules of an auction: pure, without a clock, a database or a network.

`decide(state, command, now)` says what happens, as events or as a `Refusal`; `evolve(state, event, …)`
says what is true afterwards. What differs between auction formats lives in `formats/`, one file each.
"""
