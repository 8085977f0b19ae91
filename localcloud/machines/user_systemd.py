"""`systemctl --user` of a machine: docker-systemctl-replacement, confined to the machine.

Run by path, with the local cloud's own interpreter: `python -I user_systemd.py DISK [systemctl arguments]`.

Left alone, docker-systemctl-replacement 1.7.1097 would keep status and lock files under /run/user/UID, which all
machines of a host share, look for units in the host's folders as well, and start units with its caller's environment.
With systemd, units have the environment of the user manager.
"""

import io
import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path


def main() -> int:
    """Run one systemctl command; the exit status is systemctl's."""
    disk, arguments = Path(sys.argv[1]), sys.argv[2:]
    if "--user" not in arguments:
        print("systemctl: this machine has only user units", file=sys.stderr)
        return 1
    os.environ.clear()
    os.environ.update(json.loads((disk / "etc" / "environment.json").read_text()))
    # Imported late: it reads the environment on import.
    from systemctl2 import systemctl3

    confinement = {
        "get_RUN": lambda root=False: os.environ["XDG_RUNTIME_DIR"],  # noqa: ARG005
        "_user_folders": [
            f"{{{base}}}/systemd/user" for base in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME")
        ],
        "_system_folders": [],
        "_init_folders": [],
        "_preset_folders": [],
        "_journal_log_folder": str(disk / "var" / "log" / "journal"),
        "LocaleConf": str(disk / "etc" / "locale.conf"),
        # Seconds between two looks at a process. systemd learns at once from the kernel that one has ended.
        "MinimumYield": 0.05,
    }
    for name, value in confinement.items():
        if not hasattr(systemctl3, name):
            raise AttributeError(f"docker-systemctl-replacement has no {name} any more; pin 1.7.1097")
        setattr(systemctl3, name, value)
    sys.argv = ["systemctl", *(argument for argument in arguments if argument != "--value")]
    if "--value" not in arguments:
        return int(systemctl3.main() or 0)
    # An option of systemctl that the replacement lacks: what `show` prints, without the names.
    with redirect_stdout(io.StringIO()) as shown:
        status = int(systemctl3.main() or 0)
    for line in shown.getvalue().splitlines():
        print(line.partition("=")[2])
    return status


if __name__ == "__main__":
    sys.exit(main())
