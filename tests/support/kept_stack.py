"""A stack as one version of this program left it, kept as files, and laid out again where and when it is wanted.

Kept are the state with its secrets in plain, the account of the local cloud, and the machine's disk. What names places
of the computer on which they were made has a word there instead (`@CLOUD@`), which becomes a place again where they are
laid out. The machine's address is kept: its certificate and the state are of it. So it is laid out once at a time on a
computer.
"""

import errno
import io
import json
import socket
import sqlite3
import ssl
import sys
import tarfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import yaml

from components.text.version import VERSION
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.polling import until
from tests.support.pulumi_cli import REPOSITORY
from tests.support.pulumi_project import STACK, Project, project
from tests.support.small_endpoint import use_small_endpoint
from tests.support.swap_machine import STAND_IN

KEPT = Path(__file__).with_name("fixtures")
FACTS, ARCHIVE = "stack.json", "stack.tar.gz"
STATE, ACCOUNT = "state.json", "account.sql"
URL = "@URL@"
TURN_S = 600.0
"""Longer than one needs who has laid it out."""
NO_CHECK_TIME = 0x200000
"""`X509_V_FLAG_NO_CHECK_TIME` of OpenSSL, for which Python has no name."""
LEFT_OUT = (
    *("__pycache__", ".cache/uv", "uv-*"),
    *(
        "machines/*/bin",
        "machines/*/run",
        "machines/*/tmp",
        "machines/*/mnt",
        "machines/*/spec.json",
        "machines/*/etc/*.json",
    ),
)
"""Made again by itself: what the local cloud lays on a disk at each start, compiled Python, uv and its cache."""


@dataclass(frozen=True)
class KeptStack:
    """One that was laid out. Its machine has been booted."""

    project: Project
    cloud: LocalCloud
    version: str
    """That it was made with."""
    instance_id: str

    def serves(self, *, with_any_age: bool = False) -> bool:
        """Whether its model answers to its key, at the address that the state has, with a certificate of its authority;
        `with_any_age` also with one that has ended."""
        outputs = self.project.outputs()
        trust = ssl.create_default_context(cadata=outputs["ca_certificate"])
        if with_any_age:
            trust.verify_flags |= NO_CHECK_TIME
        headers = {"Authorization": f"Bearer {outputs['api_key']}"}
        request = urllib.request.Request(f"{outputs['endpoint']}/models", headers=headers)
        try:
            with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
                return bool(json.load(answer)["data"][0]["id"] == outputs["model"])
        except OSError:
            return False


def kept_stacks() -> list[Path]:
    """All that there are, a folder each."""
    return sorted(KEPT.glob("upgrade-*"))


def keep(made: Project, cloud: LocalCloud, folder: Path) -> None:
    """Keep a stack of one machine that is up."""
    (instance_id,) = cloud.billing()
    words = {place: word for word, place in {**_places(cloud.state), URL: cloud.url}.items()}
    facts = {"version": VERSION, "instance_id": instance_id, "config": _config(made)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FACTS).write_text(_replaced(json.dumps(facts, indent=2) + "\n", words))
    state = _state(made)
    with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
        for name, text in {STATE: state, ACCOUNT: _dumped(cloud.state)}.items():
            _add(archive, tarfile.TarInfo(name), _replaced(text, words).encode())
        _add_files(archive, cloud.state, words)


@contextmanager
def laid_out(kept: Path, folder: Path) -> Iterator[KeptStack]:
    """Lay it out below `folder`, boot its machine, and take all of it away in the end. Waits for who has it now."""
    with _alone(kept.name), _laid_out(kept, folder) as stack:
        yield stack


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Keep others off the address of a kept stack, whichever checkout and user they are of."""
    # A name that is no file's holds for as far as the loopback addresses do, and is free when its process has ended.
    with socket.socket(socket.AF_UNIX) as place:

        def is_ours() -> bool:
            try:
                place.bind(f"\0lambda-vllm-tests-{name}")
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                return False
            return True

        until(is_ours, TURN_S, every=0.5, why=lambda: f"somebody else has had {name} all the time")
        yield


@contextmanager
def _laid_out(kept: Path, folder: Path) -> Iterator[KeptStack]:
    facts = json.loads((kept / FACTS).read_text())
    state = folder / "cloud"
    with tarfile.open(kept / ARCHIVE) as archive:
        archive.extractall(state, filter="fully_trusted")
    _replace_below(state, _places(state))
    account = sqlite3.connect(state / "cloud.sqlite")
    account.executescript((state / ACCOUNT).read_text())
    account.close()
    with local_cloud(state) as cloud:
        _replace_below(state / "machines", {URL: cloud.url})
        cloud.api("POST", "/instance-operations/restart", {"instance_ids": [facts["instance_id"]]})
        with project(folder, cloud) as made:
            use_small_endpoint(made, cloud)
            made.configure(**json.loads(_replaced(json.dumps(facts["config"]), {URL: cloud.url})))
            _replace_in(state / STATE, {URL: cloud.url})
            made.pulumi("stack", "import", "--file", str(state / STATE))
            yield KeptStack(made, cloud, facts["version"], facts["instance_id"])


def _places(state: Path) -> dict[str, str]:
    """Places of this computer by the words for them, what lies in another one of them before that."""
    python = Path(sys.executable).resolve()
    return {
        "@CLOUD@": str(state),
        "@STAND_IN@": str(STAND_IN),
        "@REPOSITORY@": str(REPOSITORY),
        "@PYTHON@": str(python),
        "@PYTHONS@": str(python.parent),
    }


def _state(made: Project) -> str:
    state = json.loads(made.pulumi("stack", "export", "--show-secrets").output)
    for resource in state["deployment"]["resources"]:
        # Where in the program, with places of this computer; nothing depends on it.
        resource.pop("sourcePosition", None)
        resource.pop("stackTrace", None)
    return json.dumps(state, indent=1)


def _config(made: Project) -> dict[str, Any]:
    """Keys and values of its stack file, without secrets."""
    written = yaml.safe_load((made.folder / f"Pulumi.{STACK}.yaml").read_text())["config"]
    return {key.partition(":")[2]: value for key, value in written.items()}


def _dumped(state: Path) -> str:
    account = sqlite3.connect(f"file:{state / 'cloud.sqlite'}?mode=ro", uri=True)
    try:
        return "\n".join(account.iterdump())
    finally:
        account.close()


def _add_files(archive: tarfile.TarFile, state: Path, words: Mapping[str, str]) -> None:
    for path in [state / "credentials.json", *sorted((state / "machines").rglob("*"))]:
        name = path.relative_to(state)
        if any(_is_below(name, pattern) for pattern in LEFT_OUT) or not (
            path.is_file() or path.is_dir() or path.is_symlink()
        ):
            continue
        entry = archive.gettarinfo(path, str(name))
        if entry.issym():
            entry.linkname = _replaced(entry.linkname, words)
        _add(archive, entry, _in_bytes(path.read_bytes(), words) if entry.isreg() else b"")


def _add(archive: tarfile.TarFile, entry: tarfile.TarInfo, content: bytes) -> None:
    entry.size = len(content)
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    archive.addfile(entry, io.BytesIO(content))


def _is_below(name: PurePath, pattern: str) -> bool:
    return any(place.match(pattern) for place in (name, *name.parents))


def _replace_below(folder: Path, words: Mapping[str, str]) -> None:
    for path in sorted(folder.rglob("*")):
        _replace_in(path, words)


def _replace_in(path: Path, words: Mapping[str, str]) -> None:
    if path.is_symlink():
        target = str(path.readlink())
        if (new := _replaced(target, words)) != target:
            path.unlink()
            path.symlink_to(new)
    elif path.is_file():
        content = path.read_bytes()
        if (changed := _in_bytes(content, words)) != content:
            path.write_bytes(changed)


def _replaced(text: str, words: Mapping[str, str]) -> str:
    return _in_bytes(text.encode(), words).decode()


def _in_bytes(content: bytes, words: Mapping[str, str]) -> bytes:
    for word, other in words.items():
        content = content.replace(word.encode(), other.encode())
    return content
