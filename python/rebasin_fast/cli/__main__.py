"""``python -m rebasin_fast.cli``: the same as ``rebasin-fast``."""

from rebasin_fast.cli import main

main()
