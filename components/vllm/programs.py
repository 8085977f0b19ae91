"""The programs for the machine: what they are, when their work has to be done again, and the commands that begin them.

Work is done again when its own folder below `components/on_machine` changes, or its pins below
`components/vllm/release`, which have the same name; nothing else is a reason.
"""

import hashlib
import shlex
from pathlib import Path

from components.machine.bundle import HASH_LENGTH, Bundle
from components.on_machine.shared.paths import RELEASE
from components.vllm.release.install import source_pins
from components.vllm.release.install.versions import version_on_gpu

PACKAGE = "components.on_machine"
FOLDER, PINS = "components/on_machine", "components/vllm/release"
ROOT = Path(__file__).parents[2]


def _pinned_packages() -> list[str]:
    """Of those that have pins."""
    return sorted(f"{PINS}/{one.name}" for one in (ROOT / FOLDER).iterdir() if (ROOT / PINS / one.name).is_dir())


PROGRAMS = Bundle(ROOT, [FOLDER, *_pinned_packages()])


def work_key(package: str, *words: str) -> str:
    """Changes when the work of a package has to be done again; `words` are what it is asked for."""
    return PROGRAMS.folder_hash(f"{FOLDER}/{package}", f"{PINS}/{package}", more=words)


def command(module: str, *words: str) -> str:
    """Command that runs a module of the release that is in use."""
    return shlex.join(["env", "-C", RELEASE, "python3", "-m", f"{PACKAGE}.{module}", *words])


def job(name: str, key: str, timeout_s: int, module: str, *arguments: str, again: bool = False) -> str:
    """Command that runs a module as a job and follows it. The timeout ends the following; the job itself goes on."""
    option = ["--again"] if again else []
    return f"timeout {timeout_s} " + command("jobs", *option, name, key, module, *arguments)


def environment_key(install: str, version: str, *, build_triton: bool = False) -> str:
    """Names what is installed, by its pins: by this a setting of the server finds its environment.

    Scripts are no part of it: how something is installed changes nothing of what it is.
    """
    if install == "wheel":
        pins = [content.decode() for path, content in PROGRAMS.files.items() if _is_a_pin(path)]
    else:
        pins = [repr(source_pins.pins(version_on_gpu(version))), str(source_pins.BUILD_REVISION)]
    words = [install, version, str(build_triton), *pins]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:HASH_LENGTH]


def _is_a_pin(path: str) -> bool:
    return path.startswith(f"{PINS}/install/") and path.endswith((".txt", ".json"))
