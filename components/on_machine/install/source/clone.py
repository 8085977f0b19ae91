"""Sources at a tag, and where a version has the files that its build begins with: they have moved over time."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from components.on_machine.install.source.tools import Tools
from components.on_machine.shared.work import WorkError, say

STRIP = ("use_existing_torch.py", "tools/use_existing_torch.py")
REQUIREMENTS = ("requirements-build.txt", "requirements/build.txt", "requirements/build/cuda.txt")


def clone(tools: Tools, name: str, url: str, tag: str, folder: Path) -> None:
    """Clone a tag. A folder that is there is whole: an interrupted clone has another name. `WorkError`."""
    if folder.is_dir():
        return
    say(f"cloning {name} {tag}")
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    git = ("git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--depth", "1", "--branch", tag)
    if not tools.run(*git, url, new):
        no_git = "" if shutil.which("git", path=tools.path) else "there is no git; "
        raise WorkError(
            f"{name} {tag} cannot be cloned: {no_git}look into the log and run pulumi up again", "not-cloned"
        )
    new.rename(folder)


def commit_of(tools: Tools, folder: Path) -> str:
    """The commit that was cloned. `WorkError`."""
    commit = tools.ask("git", "-C", folder, "rev-parse", "HEAD")
    if not commit:
        raise WorkError(f"git does not tell the commit of {folder}", "no-commit")
    return commit


@dataclass(frozen=True)
class Layout:
    """Paths within vLLM's sources."""

    strip: str
    """The program that takes torch out of the requirements."""
    requirements: str
    """What the build needs."""


def layout_of(sources: Path, version: str) -> Layout:
    """Where this version has its files. `WorkError` when they are where no version had them."""
    strip = _first_there(sources, STRIP)
    if strip is None:
        raise WorkError(
            f"vLLM {version} has its use_existing_torch.py neither at the root nor in tools/", "unknown-layout"
        )
    requirements = _first_there(sources, REQUIREMENTS)
    if requirements is None:
        raise WorkError(
            f"vLLM {version} has its build requirements in none of {', '.join(REQUIREMENTS[:-1])} and "
            f"{REQUIREMENTS[-1]}",
            "unknown-layout",
        )
    return Layout(strip, requirements)


def _first_there(folder: Path, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if (folder / name).is_file()), None)


def use_installed_torch(tools: Tools, sources: Path, version: str, capped: tuple[str, ...]) -> None:
    """Let vLLM be built with the torch that is installed, and install what else its build needs. `WorkError`."""
    layout = layout_of(sources, version)
    # Without it every line goes that has torch in it, those of other packages too.
    prefix = ("--prefix",) if '"--prefix"' in (sources / layout.strip).read_text() else ()
    say(f"using the installed torch ({layout.strip}), build requirements from {layout.requirements}")
    if not tools.run(tools.python, layout.strip, *prefix, folder=sources):
        raise WorkError(f"{layout.strip} of vLLM {version} failed, see above", "torch-not-stripped")
    tools.install("what builds vLLM", *capped, "--requirements", layout.requirements, folder=sources)


def triton_folder(sources: Path) -> Path:
    """Where Triton's packaging is: it has moved to the root in 3.4."""
    is_below = (sources / "python/setup.py").is_file() and not (sources / "setup.py").is_file()
    return sources / "python" if is_below else sources
