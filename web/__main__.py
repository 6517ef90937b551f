"""`python -m web`: the same as the command `market`."""

from web.cli import main

main()
