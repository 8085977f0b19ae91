"""A Lambda Cloud on this computer: its API, machines reached over SSH, and a small Hugging Face hub.

It imports nothing of `components`, and `components` imports nothing of it: to the program it is just another API URL.
"""

import sys

if sys.argv[:1] == ["-m"]:
    from entry_point import guard

    guard("localcloud", "localcloud/requirements.txt")
