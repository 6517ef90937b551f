"""How a price came about and can be proved: notices, priority rights, awards, trials, open licences."""
