"""A mirror of the package registry in which a test can let packages wait, fail or be wrong.

It has the wheels that a registry gave to pip: uv in the pinned version, what the download of weights imports, and the
lock of the test. To pip and uv it is an index of their own kind (PEP 503, with the metadata files of PEP 658).
"""

import hashlib
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PATIENCE_S = 120.0
METADATA = ".metadata"


class Mirror:
    """What is in the mirror, and what goes wrong with it. Names of packages are those of PEP 503."""

    def __init__(self, wheels: Path) -> None:
        self._wheels = {wheel.name: wheel for wheel in wheels.glob("*.whl")}
        self._sent: Counter[str] = Counter()
        self.count = 0
        """Changes when counting begins anew; what was asked for before is not counted."""
        self._held: dict[str, threading.Event] = {}
        self._asked: dict[str, threading.Event] = {}
        self._is_down = False
        self._cut: Counter[str] = Counter()
        self._wrong: set[str] = set()
        self.url = ""

    def recover(self) -> None:
        """Nothing goes wrong any more."""
        self._is_down = False
        self._wrong.clear()
        self.release()

    def forget(self) -> None:
        """Begin to count anew."""
        self._sent.clear()
        self.count += 1

    def hold(self, package: str) -> None:
        """Let everybody who fetches it wait, until `release`."""
        self._asked[package], self._held[package] = threading.Event(), threading.Event()

    def release(self, *packages: str) -> None:
        """Let go what is held, or only some of it; it suffers what has been asked for meanwhile."""
        for package in packages or list(self._held):
            self._held.pop(package).set()

    def is_waited_for(self, package: str) -> bool:
        """Whether somebody fetches what is held."""
        return self._asked[package].is_set()

    def go_down(self) -> None:
        """Close every connection without an answer."""
        self._is_down = True

    def cut(self, package: str) -> None:
        """Close the next connection in the middle of it."""
        self._cut[package] += 1

    def spoil(self, package: str) -> None:
        """Give out a wheel that can be unpacked and is not the right one."""
        self._wrong.add(package)

    def sent(self) -> Counter[str]:
        """How often each package went out whole."""
        return Counter(self._sent)

    def page(self, package: str) -> str | None:
        """The links of a package."""
        links = []
        for name, wheel in self._wheels.items():
            if package_of(name) == package:
                digest, meta = sha256(wheel.read_bytes()), sha256(metadata(wheel))
                links.append(f'<a href="/files/{name}#sha256={digest}" data-core-metadata="sha256={meta}">{name}</a>')
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>" if links else None

    def is_down(self) -> bool:
        """Whether nothing is answered."""
        return self._is_down

    def file(self, name: str) -> bytes | None:
        """A wheel, or the metadata of one."""
        wheel = self._wheels.get(name.removesuffix(METADATA))
        if wheel is None:
            return None
        if name.endswith(METADATA):
            return metadata(wheel)
        package = package_of(name)
        if held := self._held.get(package):
            self._asked[package].set()
            held.wait(PATIENCE_S)
        content = bytearray(wheel.read_bytes())
        if package in self._wrong:
            # The time of the first file in it (APPNOTE of the ZIP format, 4.3.7).
            content[10] ^= 0xFF
        return bytes(content)

    def is_to_be_cut(self, name: str) -> bool:
        """Whether this wheel ends in its middle; counts it."""
        package = package_of(name)
        if name.endswith(METADATA) or not self._cut[package]:
            return False
        self._cut[package] -= 1
        return True

    def note_sent(self, name: str, count: int) -> None:
        """Note a wheel that went out, asked for when `count` was so."""
        if count == self.count and not name.endswith(METADATA):
            self._sent[package_of(name)] += 1


class _Answers(BaseHTTPRequestHandler):
    """One request to the mirror."""

    def __init__(self, mirror: Mirror, *arguments: Any) -> None:
        self._mirror = mirror
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if self._mirror.is_down():
            return
        place, name = self.path.strip("/").split("/", 1)
        with suppress(ConnectionError):
            if place == "simple":
                self._page(name)
            else:
                self._file(name)

    def _page(self, package: str) -> None:
        page = self._mirror.page(package)
        if page is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._begin("text/html", len(page.encode()))
            self.wfile.write(page.encode())

    def _file(self, name: str) -> None:
        count = self._mirror.count
        content = self._mirror.file(name)
        if self._mirror.is_down():
            return
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self._begin("application/octet-stream", len(content))
        if self._mirror.is_to_be_cut(name):
            self.wfile.write(content[: len(content) // 2])
            return
        self.wfile.write(content)
        self._mirror.note_sent(name, count)

    def _begin(self, kind: str, size: int) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""


def package_of(name: str) -> str:
    """The normalised name (PEP 503) of the package whose wheel or metadata is called so."""
    return name.split("-", 1)[0].replace("_", "-").lower()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def metadata(wheel: Path) -> bytes:
    """The file METADATA of a wheel."""
    with zipfile.ZipFile(wheel) as files:
        (name,) = [one for one in files.namelist() if one.endswith(".dist-info/METADATA")]
        return files.read(name)


def fetch_wheels(folder: Path, *wanted: str) -> None:
    """Have pip fetch wheels, by requirements or options of `pip download`."""
    # The Python that process machines have.
    python = str(Path(sys.base_prefix) / "bin/python3")
    command = [python, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", str(folder)]
    subprocess.run([*command, *wanted], check=True, timeout=300)


@contextmanager
def mirror(folder: Path, *wanted: Sequence[str]) -> Iterator[Mirror]:
    """A mirror with what each of the calls of `pip download` brings."""
    for one in wanted:
        fetch_wheels(folder, *one)
    made = Mirror(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Answers, made))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        made.recover()
        server.shutdown()
        server.server_close()
