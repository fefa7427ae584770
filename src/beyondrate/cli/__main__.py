"""python -m beyondrate.cli."""

from beyondrate.cli import main

main()
