"""``python -m esgml``: the command line, where its script is not on the path."""

from esgml.cli.app import main

main()
