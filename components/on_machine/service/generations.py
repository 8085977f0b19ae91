"""Settings of the server on this machine's disk, and the marks that say which of them is served.

A generation is one whole setting: `~/.config/lambda-vllm/generations/KEY/` holds `vllm.yaml`, `setting.json` (the
variables of the server, and how it is started), `files/` where flags name some, and `venv`, a link to the environment
that it is served from. Beside them two links, each replaced in one step, and a file:

    current           what the service runs
    last-known-good   the last one from which a token came
    wanted            the key that was asked for last

and in a generation two marks: `tried` (it was started, and is not proven yet) and `failed` (why it was given up).
"""

import json
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.on_machine.shared.files import replace_file, replace_link
from components.on_machine.shared.paths import CONFIG, SETTING, Places

FILES = (CONFIG, SETTING)
FOLDER = "@generation@"
"""In vllm.yaml the folder of the setting itself: its name is known only when all that is in it is."""


@dataclass(frozen=True)
class Choice:
    """What the service starts."""

    key: str
    is_proven: bool
    given_up: str | None = None
    """The key of a setting that was tried before and did not get ready."""


def choose(current: str | None, good: str | None, was_tried: bool) -> Choice | None:
    """An unproven setting gets one try as long as there is a good one to go back to; None when there is nothing.

    So whatever ends the first try, a crash as much as a reboot, what starts next is the last good setting.
    """
    if current and current != good:
        return Choice(good, True, given_up=current) if good and was_tried else Choice(current, False)
    return Choice(good, True) if good else None


@dataclass(frozen=True)
class Generation:
    """One whole setting."""

    key: str
    folder: Path

    @property
    def config(self) -> dict[str, Any]:
        """Flags of `vllm serve`."""
        flags: dict[str, Any] = json.loads((self.folder / CONFIG).read_text())
        return flags

    @property
    def model(self) -> str:
        """The name under which the model is served, as the user writes it."""
        names = self.config.get("served-model-name") or self.config["model"]
        return str(names[0] if isinstance(names, list) else names)

    @property
    def venv(self) -> Path:
        """The environment that it is served from, which need not be the one that was installed last."""
        return self.folder / "venv"

    @property
    def environment(self) -> dict[str, str]:
        """The user's own variables."""
        variables: dict[str, str] = self._setting["environment"]
        return variables

    @property
    def unknown_on_cpu(self) -> frozenset[str]:
        """Flags that the release of vLLM for CPUs does not take, where it is another one than that for GPUs."""
        return frozenset(self._setting.get("unknown_on_cpu", ()))

    @property
    def port(self) -> int:
        return int(self.config["port"])

    @property
    def drain_seconds(self) -> int:
        """How long requests that are under way may take when the server is stopped."""
        return int(self.config.get("shutdown-timeout") or 0)

    @property
    def has_tls(self) -> bool:
        return bool(self._setting["tls"])

    @property
    def start_timeout_seconds(self) -> int:
        """Not a part of the key: it changes nothing of what is served."""
        return int(self._setting["start_timeout_seconds"])

    @property
    def _setting(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.folder / SETTING).read_text())
        return read


class Generations:
    """All settings of a home directory."""

    def __init__(self, home: Path) -> None:
        self.places = Places(home)
        self.settings = self.places.settings
        self.base = self.places.base
        self._folder = self.places.generations

    def get(self, key: str) -> Generation:
        return Generation(key, self._folder / key)

    def write(self, key: str, files: Mapping[str, str], venv: Path) -> None:
        """Write a setting, each file whole or not at all. What is written again is the same, so it may be in use.

        `files` may have others besides, which flags name: below `files/`, and there before vllm.yaml is.

        Its environment stays what it was: another install is another setting.
        """
        folder = self._folder / key
        self._folder.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        for name in sorted(files.keys() - set(FILES)):
            for parent in reversed((folder / name).relative_to(folder).parents):
                (folder / parent).mkdir(mode=0o700, exist_ok=True)
            replace_file(folder / name, files[name])
        here = json.dumps(str(folder))[1:-1]
        for name in FILES:
            replace_file(folder / name, files[name].replace(FOLDER, here) if name == CONFIG else files[name])
        if not (folder / "venv").exists():
            replace_link(folder / "venv", venv)

    @property
    def wanted(self) -> str | None:
        file = self.settings / "wanted"
        return file.read_text().strip() if file.exists() else None

    def want(self, key: str) -> None:
        """An earlier request for another setting gives way."""
        replace_file(self.settings / "wanted", f"{key}\n")

    @property
    def current(self) -> str | None:
        return self._named(self.places.current)

    @property
    def last_known_good(self) -> str | None:
        return self._named(self.places.last_known_good)

    def choose(self, given_up: Collection[str] = ()) -> Choice | None:
        """What the service starts; the link `current` follows. `given_up` counts as tried, also without a mark."""
        current = self.current
        was_tried = current is not None and (
            current in given_up or any((self._folder / current / mark).exists() for mark in ("tried", "failed"))
        )
        choice = choose(current, self.last_known_good, was_tried)
        # Not when another one was asked for in this moment.
        if choice and choice.key != current and self.current == current:
            with suppress(OSError):
                self.switch_to(choice.key)
        return choice

    def switch_to(self, key: str) -> None:
        """What the service starts next."""
        replace_link(self.places.current, Path("generations", key))

    def may_try(self, key: str) -> None:
        """Forget earlier tries."""
        for mark in ("tried", "failed"):
            (self._folder / key / mark).unlink(missing_ok=True)

    def note_try(self, key: str, boot: str = "") -> None:
        """It was started, in that time of the machine; without `prove` it is not started a second time."""
        (self._folder / key / "tried").write_text(boot)

    def tried_in(self, key: str) -> str:
        """What `note_try` was told; empty when that is not known."""
        file = self._folder / key / "tried"
        return file.read_text() if file.exists() else ""

    def prove(self, key: str) -> None:
        """A token came from it. What is neither that, nor current, nor wanted is of no use any more."""
        replace_link(self.places.last_known_good, Path("generations", key))
        self.may_try(key)
        for folder in self._folder.iterdir():
            if folder.name not in {key, self.current, self.wanted}:
                shutil.rmtree(folder, ignore_errors=True)

    def give_up(self, key: str, why: str) -> None:
        replace_file(self._folder / key / "failed", f"{why}\n")

    def failure(self, key: str) -> str | None:
        """Why it was given up; None when it was not."""
        file = self._folder / key / "failed"
        return file.read_text().strip() if file.exists() else None

    @staticmethod
    def _named(link: Path) -> str | None:
        return link.resolve().name if link.is_symlink() and link.exists() else None
