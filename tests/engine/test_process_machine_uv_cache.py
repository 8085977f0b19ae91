"""uv's cache, which all `process` machines share."""

import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from localcloud.machines.base import Mount
from tests.support.process_machine import Machine, booted, check

UV = Path(sys.executable).with_name("uv")
WHEEL = "demo-1.0-py3-none-any.whl"

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs an OpenSSH client")


class Index(SimpleHTTPRequestHandler):
    """A package index (PEP 503) with one package, that notes what is fetched."""

    def __init__(self, fetched: list[str], *arguments: Any, **options: Any) -> None:
        self._fetched = fetched
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        self._fetched.append(Path(self.path).name)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""


@contextmanager
def index(folder: Path, fetched: list[str]) -> Iterator[str]:
    """The URL of an index with the package `demo`."""
    package = folder / "demo"
    package.mkdir(parents=True)
    with zipfile.ZipFile(package / WHEEL, "w") as wheel:
        wheel.writestr("demo.py", "made = True\n")
        wheel.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("demo-1.0.dist-info/RECORD", "demo.py,,\n")
    (package / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>')
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Index, fetched, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


async def installed(machine: Machine, url: str) -> Path:
    """The module of the package, after it has been installed on the machine."""
    flags = f"--no-config --default-index {url} --python v"
    done = await machine.ssh(f"python3 -m venv --without-pip v && {UV} pip install {flags} demo")
    assert done.status == 0, done
    return next(machine.home.glob("v/lib/python*/site-packages/demo.py"))


def test_a_second_install_downloads_nothing_and_takes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fetched: list[str] = []

    async def scenario() -> None:
        with index(tmp_path / "index", fetched) as url:
            async with booted(tmp_path) as machine:
                first = (await installed(machine, url)).stat()
                assert fetched.count(WHEEL) >= 1
            # The first machine is gone with all that was on it. The next one has a filesystem, so it sees other mounts.
            fetched.clear()
            (tmp_path / "filesystem").mkdir()
            async with booted(tmp_path, None, (Mount("data", tmp_path / "filesystem", "/lambda/nfs/data"),)) as machine:
                second = (await installed(machine, url)).stat()
                assert WHEEL not in fetched
                assert (second.st_dev, second.st_ino) == (first.st_dev, first.st_ino)

    check(scenario())
