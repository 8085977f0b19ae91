"""The rooms of the code, read from docs/architecture.md and from the imports, and a picture of them."""

import sys

if sys.argv[:1] == ["-m"]:
    from entry_point import guard

    guard("architecture")
