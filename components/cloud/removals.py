"""What this computer has asked Lambda to remove, for the `up` after a removal that was killed.

When Pulumi is killed while it removes an object, its state still has the object, and nothing tells the next `up` that
it is gone or about to go: the engine asks the provider only what has changed among the inputs. So each removal is noted
before it begins, by the id, which Lambda never gives twice; an object in the state with such a note is replaced. On
another computer there are no notes, and `pulumi refresh` finds out.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import Generic

from pulumi.dynamic import CreateResult, DiffResult, ReadResult

from components.cloud.account_folder import account_folder
from components.cloud.provider import Declared, LambdaProvider, Properties

KEPT_S = 90 * 24 * 3600.0
"""Notes are small; those older than a state that was left in the middle of its removal may be are taken away."""


class RemovalNotes:
    """One empty file for each removal. `folder` None keeps none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def add(self, id_: str) -> None:
        """The removal of an object begins."""
        if self._folder is None:
            return
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True, mode=0o700)
            for note in self._folder.iterdir():
                if time.time() - note.stat().st_mtime > KEPT_S:
                    note.unlink(missing_ok=True)
            (self._folder / id_).touch(mode=0o600)

    def drop(self, id_: str) -> None:
        """The object is there after all."""
        if self.has(id_) and self._folder:
            (self._folder / id_).unlink(missing_ok=True)

    def has(self, id_: str) -> bool:
        """Whether the removal of an object has begun on this computer."""
        return self._folder is not None and (self._folder / id_).exists()


class RemovalNotingProvider(LambdaProvider[Declared], Generic[Declared]):
    """Base of objects of the account: one whose removal has begun is made anew."""

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """As ever, but what is half removed is replaced, what is left of it removed first."""
        found = super().diff(_id, olds, news)
        if not self._removals.has(_id):
            return found
        return DiffResult(changes=True, replaces=[*(found.replaces or []), "id"], delete_before_replace=True)

    def create(self, props: Properties) -> CreateResult:
        """As ever; what is taken over may have been given up before."""
        made = super().create(props)
        self._removals.drop(made.id)
        return made

    def read(self, id_: str, props: Properties) -> ReadResult:
        """As ever; what a refresh sees is there, whatever was begun."""
        found = super().read(id_, props)
        if found.id:
            self._removals.drop(id_)
        return found

    def delete(self, _id: str, _props: Properties) -> None:
        """Note it, then delete."""
        self._removals.add(_id)
        super().delete(_id, _props)

    @property
    def _removals(self) -> RemovalNotes:
        folder = account_folder(self._api_key, self._api_url)
        return RemovalNotes(folder / "removals" if folder else None)
