"""A real Prometheus: the one on PATH, else Debian's package, unpacked into a cache without being installed."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.polling import until

START_S = 120


class NoPrometheusError(Exception):
    """It cannot be had here; the text says why."""


def programs() -> Path:
    """The folder with `prometheus` and `promtool`; `NoPrometheusError`."""
    if (found := shutil.which("prometheus")) and shutil.which("promtool"):
        return Path(found).parent
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise NoPrometheusError(f"no prometheus on PATH, and it is fetched with {', '.join(missing)}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lambda-vllm/prometheus"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (cache / "root").is_dir():
            _unpack(cache)
    return cache / "root/usr/bin"


def _unpack(cache: Path) -> None:
    # Lists of packages of its own: the system's may be empty, and are not ours to change.
    lists = [f"--option=Dir::State::Lists={cache}/lists", f"--option=Dir::Cache={cache}/archives"]
    (cache / "lists/partial").mkdir(parents=True, exist_ok=True)
    (cache / "archives/archives/partial").mkdir(parents=True, exist_ok=True)
    for words in (["update"], ["download", "prometheus"]):
        done = subprocess.run(
            ["apt-get", "--quiet", "--option=APT::Sandbox::User=root", *lists, *words],
            cwd=cache,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise NoPrometheusError(f"apt-get {words[0]} has no prometheus: {last}")
    (package,) = cache.glob("prometheus_*.deb")
    subprocess.run(["dpkg-deb", "--extract", package, cache / "root.new"], check=True)
    (cache / "root.new").rename(cache / "root")
    package.unlink()
    shutil.rmtree(cache / "lists")


class Prometheus:
    """A running one."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/{path}?{query}", timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def target(self) -> dict[str, Any]:
        """The one that it reads; empty in its first moments."""
        found = self.get("targets")["activeTargets"]
        return dict(found[0]) if found else {}

    def wait_until_read(self, times: int = 1) -> None:
        """Until the target was read so often without an error; says what keeps it when it takes too long."""

        def is_read() -> bool:
            counted = self.get("query", query="count_over_time(up[1h]) * up")["result"]
            return bool(counted) and float(counted[0]["value"][1]) >= times

        until(is_read, START_S, every=0.2, why=self.target)

    def wait_for(self, word: str, value: str) -> None:
        """Until what it says of the target under a word holds a value; a reading may also fail for want of time."""
        until(lambda: value in self.target().get(word, ""), START_S, every=0.2, why=self.target)


@contextmanager
def prometheus(config: Path, folder: Path) -> Iterator[Prometheus]:
    """Run it with a configuration and with its data in `folder`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [str(programs() / "prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    words += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    log = folder / "prometheus.log"
    with log.open("w") as stream, subprocess.Popen(words, cwd=folder, stdout=stream, stderr=stream) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _is_ready(url) or process.poll() is not None, START_S, every=0.2, why=log.read_text)
            assert process.poll() is None, log.read_text()
            yield Prometheus(url)
        finally:
            process.terminate()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=10):
            return True
    except OSError:
        return False


def expressions(dashboard: Path) -> list[str]:
    """What a dashboard asks, with Grafana's variables filled in as Grafana does."""
    panels = json.loads(dashboard.read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    return [one.replace("$__rate_interval", "1m").replace("$model", ".*") for one in asked]
