"""What follows a sale: the checklist to its end, a default and what it costs, and the offer to the next bidder."""
