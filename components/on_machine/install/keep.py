"""Which environments stay on the machine, and the links by which they are found."""

import shutil
from pathlib import Path

from components.on_machine.shared.files import replace_link
from components.on_machine.shared.paths import Places

PROVEN = ".proven"


def is_proven(venv: Path) -> bool:
    """True when the environment was complete and could serve when it was last tried."""
    return (venv / PROVEN).is_file()


def mark_proven(venv: Path) -> None:
    """It is complete and can serve."""
    (venv / PROVEN).touch()


def doubt(places: Places, venv: Path) -> None:
    """It did not prove itself, so the next install makes it anew.

    But not one from which a model is served: that was proven, and the memory that the proof wants may be the model's.
    """
    if not is_served(places, venv):
        (venv / PROVEN).unlink(missing_ok=True)


def is_served(places: Places, venv: Path) -> bool:
    """True when a setting that may be served again names it."""
    return any(_is_same(link, venv) for link in places.generations.glob("*/venv"))


def remove_unproven(places: Places, venv: Path) -> None:
    """Remove those that nobody proved and nobody uses, which hold nothing of worth; not `venv`, which is to come."""
    for old in _environments(places):
        if not (is_proven(old) or old == venv or _is_same(old, places.venv) or is_served(places, old)):
            shutil.rmtree(old, ignore_errors=True)


def switch(places: Places, venv: Path) -> None:
    """Use it from now on. The one in use until now stays, and those of settings that may be served again."""
    before = places.venv.readlink() if places.venv.is_symlink() else None
    if before == venv:
        return
    replace_link(places.venv, venv)
    for old in _environments(places):
        if not (old in (venv, before) or is_served(places, old)):
            shutil.rmtree(old, ignore_errors=True)


def link_install(places: Places, key: str, venv: Path) -> None:
    """Let a setting find its environment by a key, whichever was installed last. An empty key makes no link."""
    places.installs.mkdir(parents=True, exist_ok=True)
    if key:
        replace_link(places.installs / key, venv)
    for link in places.installs.iterdir():
        if not link.exists():
            link.unlink()


def _environments(places: Places) -> list[Path]:
    return list(places.venvs.iterdir()) if places.venvs.is_dir() else []


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
