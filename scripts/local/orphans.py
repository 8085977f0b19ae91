"""What a killed Pulumi CLI leaves running: its plugins and the program live on and wait for it for ever."""

import psutil

from scripts.local.place import BACKEND_URL

STARTED_BY_THE_CLI = ("pulumi-language-python", "pulumi-resource-", "pulumi.dynamic", "scripts.command_plugin")
END_SECONDS = 5


def end_orphans() -> int:
    """End what killed CLIs of this local stack left; how many processes there were."""
    left = [process for process in psutil.process_iter() if is_orphan(process)]
    for process in left:
        process.terminate()
    _, stubborn = psutil.wait_procs(left, END_SECONDS)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, END_SECONDS)
    return len(left)


def is_orphan(process: psutil.Process) -> bool:
    """Whether a CLI at work on the local stack started the process and lives no more."""
    try:
        command = " ".join(process.cmdline())
        return (
            process.environ().get("PULUMI_BACKEND_URL") == BACKEND_URL
            and any(word in command for word in STARTED_BY_THE_CLI)
            and not any(ancestor.name() == "pulumi" for ancestor in process.parents())
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
