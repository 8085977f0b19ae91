"""What the Pulumi program is made of: the cloud, a machine in it, and vLLM on the machine."""

import sys

if sys.argv[:1] == ["-m"]:
    from entry_point import guard

    guard("preflight")
