"""The main job on this computer: local cloud up, `pulumi up`, one question answered; and all of it away again."""

import sys

if sys.argv[:1] == ["-m"]:
    from entry_point import guard

    guard("local", "requirements-dev.txt")
