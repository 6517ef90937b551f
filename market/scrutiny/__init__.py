"""Who looks twice at a contract: objections, experts' opinions, flags that a reviewer closes."""
