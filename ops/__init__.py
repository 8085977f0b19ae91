"""Commands for whoever uses a stack: `python -m ops chat`, `logs`, `status`, `tunnel`, `bench`, `monitoring`."""

import sys

if sys.argv[:1] == ["-m"]:
    from entry_point import guard

    guard("ops")
