"""The plugin of the package pulumi-command: the official one, or the local cloud's stand-in for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.tools.checkout import Checkout, pinned
from scripts.tools.step import CommandFailedError, ToolMissingError, show_log_end, step

DOWNLOAD_SITES = ("https://get.pulumi.com", "https://api.github.com")
ANSWER_SECONDS = 4
DOWNLOAD_SECONDS = 120
PROGRAM = "pulumi-resource-command"
OFFICIAL, STAND_IN = "official", "stand-in"


def ensure_command_plugin(checkout: Checkout, pulumi: Path) -> str:
    """Have the plugin in `.tools/pulumi-home`; `pulumi` is the CLI that may download it.

    Returns: "official" or "stand-in".
    Raises:
        ToolMissingError: not even the stand-in could be installed.
    """
    release = pinned(checkout.requirements[0], r"^pulumi-command==(\S+)$")
    folder = Path("plugins") / f"resource-command-v{release}"
    installed = checkout.pulumi_home / folder
    record = checkout.tools / "command-plugin"
    # The stand-in names the checkout's path, so one that was moved is no longer good.
    present = record.read_text() if record.exists() and has_plugin(installed) else ""
    theirs = users_plugin(checkout, folder)
    if present == f"{OFFICIAL} {checkout.root}" or (present == f"{STAND_IN} {checkout.root}" and theirs is None):
        return present.split()[0]
    remove(installed)
    kind = OFFICIAL
    if theirs is not None:
        installed.parent.mkdir(parents=True, exist_ok=True)
        installed.symlink_to(theirs)
    elif not download_plugin(checkout, pulumi, release):
        install_stand_in(checkout)
        kind = STAND_IN
    record.write_text(f"{kind} {checkout.root}")
    return kind


def has_plugin(folder: Path) -> bool:
    return os.access(folder / PROGRAM, os.X_OK)


def remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def users_plugin(checkout: Checkout, folder: Path) -> Path | None:
    """The plugin that the user's own Pulumi has downloaded before.

    A script in its place is the stand-in of another checkout, whose environment the user has sourced.
    """
    home = Path(os.environ.get("PULUMI_HOME", "~/.pulumi")).expanduser()
    if home == checkout.pulumi_home or not has_plugin(home / folder):
        return None
    is_script = (home / folder / PROGRAM).read_bytes().startswith(b"#!")
    return None if is_script else (home / folder).resolve()


def download_plugin(checkout: Checkout, pulumi: Path, release: str) -> bool:
    """Let Pulumi download the plugin; False where its sites do not answer quickly or the download fails."""
    if not any(answers(site) for site in DOWNLOAD_SITES):
        return False
    environment = os.environ | {"PULUMI_HOME": str(checkout.pulumi_home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        with step(f"Pulumi plugin command {release}", checkout.logs / "command-plugin.log") as plugin:
            plugin.run(
                *(pulumi, "plugin", "install", "resource", "command", release),
                env=environment,
                timeout=DOWNLOAD_SECONDS,
            )
    except CommandFailedError as failure:
        print(f"set-up: the plugin could not be downloaded ({failure}, log: {failure.log})")
        return False
    return True


def answers(site: str) -> bool:
    """Whether a site answers an HTTP request, be it with an error, in `ANSWER_SECONDS`.

    A process of its own, because looking up a name has no time limit in Python.
    """
    probe = (
        "import sys, urllib.request, urllib.error\n"
        "try: urllib.request.urlopen(sys.argv[1])\n"
        "except urllib.error.HTTPError: pass\n"
    )
    argv = [sys.executable, "-c", probe, site]
    try:
        return subprocess.run(argv, capture_output=True, check=False, timeout=ANSWER_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def install_stand_in(checkout: Checkout) -> None:
    """Have the local cloud put its own plugin of the same name in place."""
    log = checkout.logs / "command-plugin-stand-in.log"
    argv: list[str | Path] = [checkout.python, "-m", "localcloud.command_plugin", "install"]
    argv += ["--home", checkout.pulumi_home, "--python", checkout.python, "--project-root", checkout.root]
    try:
        with step("command plugin: no way to the official one, taking the local cloud's stand-in", log) as stand_in:
            stand_in.run(*argv, cwd=checkout.root)
    except CommandFailedError as failure:
        show_log_end(failure.log)
        raise ToolMissingError(
            f"the Pulumi plugin command is missing and its stand-in could not be installed ({failure}); "
            "run `pulumi plugin install resource command` where there is a way to it"
        ) from None
