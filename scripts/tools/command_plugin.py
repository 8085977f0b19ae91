"""The plugin of the package pulumi-command: the official one, or the local cloud's stand-in for it."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.tools.checkout import Checkout, pinned
from scripts.tools.plugin_source import PROGRAM, Source, problem_of, sources
from scripts.tools.step import CommandFailedError, ToolMissingError, show_log_end, step

DOWNLOAD_SITES = ("https://get.pulumi.com", "https://api.github.com")
ANSWER_SECONDS = 4
DOWNLOAD_SECONDS = 120
OFFICIAL, STAND_IN = "official", "stand-in"
STAND_IN_MODULE = "scripts.command_plugin"


def command_release(checkout: Checkout) -> str:
    """The version of the plugin that the program wants."""
    return pinned(checkout.requirements[0], r"^pulumi-command==(\S+)$")


def plugin_folder(checkout: Checkout) -> Path:
    """Where Pulumi looks for it below our own PULUMI_HOME."""
    return checkout.pulumi_home / "plugins" / f"resource-command-v{command_release(checkout)}"


def ensure_command_plugin(checkout: Checkout, pulumi: Path) -> str:
    """Have the plugin in `.tools/pulumi-home`; `pulumi` is the CLI that may download it.

    One that the user has already is copied when it is the right one, so that nothing changes here when it goes.

    Returns: "official" or "stand-in".
    Raises:
        ToolMissingError: not even the stand-in could be installed.
    """
    release = command_release(checkout)
    installed = plugin_folder(checkout)
    theirs = sources(checkout, installed.name)
    record = checkout.tools / "command-plugin"
    # The stand-in names the checkout's path and its own module, so that one that was moved is no longer good.
    official = f"{OFFICIAL} {checkout.root}"
    stand_in = f"{STAND_IN} {checkout.root} {STAND_IN_MODULE} {fingerprint(theirs)}"
    present = record.read_text() if record.exists() and is_installed(installed) else ""
    if present in (official, stand_in):
        return present.split()[0]
    if take_theirs(checkout, theirs, installed, release) or download_plugin(checkout, pulumi, installed, release):
        record.write_text(official)
        return OFFICIAL
    remove(installed)
    install_stand_in(checkout)
    record.write_text(stand_in)
    return STAND_IN


def is_installed(folder: Path) -> bool:
    """Whether Pulumi would find a program there: it passes over links and over downloads that have not ended."""
    return (
        folder.is_dir()
        and not folder.is_symlink()
        and not download_mark(folder).exists()
        and os.access(folder / PROGRAM, os.X_OK)
    )


def download_mark(folder: Path) -> Path:
    """What Pulumi keeps beside the folder of a plugin for as long as its download has not ended well."""
    return folder.with_name(f"{folder.name}.partial")


def remove(folder: Path) -> None:
    """Take away what is at the place of a plugin's folder, whatever it is."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)
    download_mark(folder).unlink(missing_ok=True)


def fingerprint(theirs: list[Source]) -> str:
    """Changes when another plugin comes, goes or is replaced: those that were refused are not asked again."""
    known = [f"{source.program} {file.st_size} {file.st_mtime_ns}" for source in theirs for file in [source.stat()]]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]


def take_theirs(checkout: Checkout, theirs: list[Source], installed: Path, release: str) -> bool:
    """Copy the first of the user's own plugins that works; says of the others why they are not used."""
    for source in theirs:
        remove(installed)
        try:
            source.copy_to(installed)
            problem = problem_of(checkout, installed / PROGRAM, release)
        except OSError as error:
            problem = f"it cannot be copied: {error}"
        if problem is None:
            return True
        print(f"set-up: {source.program} is not used: {problem}{source.else_used}")
    return False


def download_plugin(checkout: Checkout, pulumi: Path, installed: Path, release: str) -> bool:
    """Let Pulumi download the plugin; False where its sites do not answer quickly or the download fails."""
    if not any(answers(site) for site in DOWNLOAD_SITES):
        return False
    remove(installed)
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
    problem = problem_of(checkout, installed / PROGRAM, release)
    if problem is not None:
        print(f"set-up: the plugin that was downloaded is not used: {problem}")
    return problem is None


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
    argv: list[str | Path] = [checkout.python, "-m", STAND_IN_MODULE, "install"]
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
