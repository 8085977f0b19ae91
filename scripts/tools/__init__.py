"""Set-up of the tools: what is on PATH is used, what is missing goes under `.tools/` and `.venv/`.

Runs before anything is installed, so it uses the standard library only.
"""

import sys

if sys.argv[:1] == ["-m"]:
    from entry_point import guard

    guard("set-up")
