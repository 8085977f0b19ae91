"""What the Pulumi program is made of: the cloud, a machine in it, and vLLM on the machine."""

import sys

if sys.argv[:1] == ["-m"]:
    from pathlib import Path

    # A project may have nothing of this one but a link to this folder, as the examples do.
    sys.path.append(str(Path(__file__).resolve().parent.parent))
    from entry_point import guard, started_module

    # The preflight is the one for users; whoever works on this project also starts what is meant for the machine.
    guard(started_module().rpartition(".")[2] or "preflight")
