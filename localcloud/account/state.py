"""The state directory: what is in it, who is using it, and how it is cleared away."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from localcloud.account.folders import remove_folder
from localcloud.clock import comes_true
from localcloud.errors import LocalCloudError


class RunningServer(BaseModel):
    """What a server says about itself once it listens."""

    model_config = ConfigDict(frozen=True)

    pid: int
    url: str
    machines: str
    ssh_port: int


@dataclass(frozen=True)
class StateDirectory:
    """Everything a local cloud keeps. Only its own files are ever removed, as the directory is the user's choice."""

    path: Path

    @property
    def credentials(self) -> Path:
        """The secrets, 0600."""
        return self.path / "credentials.json"

    @property
    def database(self) -> Path:
        """SQLite; the write-ahead log lies beside it."""
        return self.path / "cloud.sqlite"

    @property
    def machines(self) -> Path:
        """Disks of the machines."""
        return self.path / "machines"

    @property
    def filesystems(self) -> Path:
        """What is in the account's filesystems."""
        return self.path / "filesystems"

    @property
    def hub(self) -> Path:
        """Files of the Hugging Face hub."""
        return self.path / "hub"

    @property
    def log(self) -> Path:
        """Output of a server in the background."""
        return self.path / "serve.log"

    @property
    def server(self) -> Path:
        """Process id and URL of the server, present while it listens."""
        return self.path / "server.json"

    @property
    def lock(self) -> Path:
        """Locked by the server for as long as its process lives; the kernel lets go even after a kill."""
        return self.path / "server.lock"

    def make(self) -> None:
        """Have the directory.

        Raises:
            LocalCloudError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LocalCloudError(f"cannot use {self.path} as state directory: {error.strerror}") from None

    def is_in_use(self) -> bool:
        """Whether a server process lives on this state, whatever files say."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def running_server(self) -> RunningServer | None:
        """The server that listens; None when there is none or it has not come so far yet."""
        if not self.is_in_use():
            return None
        try:
            return RunningServer.model_validate_json(self.server.read_bytes())
        except (OSError, ValidationError):
            return None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Own the state for the length of the block; what an earlier, killed server said about itself is gone after.

        Raises:
            LocalCloudError: another process owns it, or the directory cannot be made.
        """
        self.make()
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(descriptor):
            os.close(descriptor)
            raise LocalCloudError(f"a local cloud runs on {self.path} already; `status` shows it, `down` ends it")
        try:
            self.server.unlink(missing_ok=True)
            yield
        finally:
            self.server.unlink(missing_ok=True)
            os.close(descriptor)

    def remove(self) -> None:
        """Remove what a local cloud has put here, and the directory if nothing else is in it."""
        for folder in (self.machines, self.filesystems, self.hub):
            remove_folder(folder)
        database_files = [self.database.with_name(self.database.name + end) for end in ("", "-wal", "-shm")]
        for file in (*database_files, self.credentials, self.log, self.server, self.lock):
            file.unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()


def _lock(descriptor: int) -> bool:
    """Try for a second, since whoever only asks whether a server lives holds the lock for an instant."""

    def is_locked() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    return comes_true(is_locked, within=1.0, every=0.02)
