"""Installs vLLM into an environment of its own, and has it prove that it can serve. The work of a job.

    install [INSTALL [DRIVER_MODE [VLLM_VERSION]]] [--triton] [--jobs N] [--environment-key KEY]

INSTALL is `wheel` (the packages of the lock for this machine), `precompiled` (vLLM's sources with the compiled parts of
its release) or `source` (everything compiled here). VLLM_VERSION is `pinned` for the one that is pinned for what this
machine computes with. KEY names the link by which a setting of the server finds the environment.

A second run goes on where the first stopped: uv keeps what it has downloaded.
"""

import os
import platform
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from components.on_machine.driver.libraries import install_libraries
from components.on_machine.driver.verify import verify
from components.on_machine.install import keep
from components.on_machine.install.choose import Choice, Lock, choose
from components.on_machine.install.disk import check_disk, gigabytes
from components.on_machine.install.environment import Uv, install_packages, make_venv, name_cpu_build
from components.on_machine.install.proof import prove
from components.on_machine.install.request import SOURCE, Request, parse
from components.on_machine.install.source.build import build
from components.on_machine.install.source.plan import BUILD, PRECOMPILED
from components.on_machine.shared import manifest
from components.on_machine.shared.accelerator import CPU, CUDA, accelerator
from components.on_machine.shared.caches import cache_environment, cache_root
from components.on_machine.shared.clock import now
from components.on_machine.shared.locks import locked
from components.on_machine.shared.paths import Places, places
from components.on_machine.shared.uv import QUIET, ensure_uv
from components.on_machine.shared.work import Facts, WorkError, run_work, say
from components.vllm.release.install.versions import GPU_TARGET


class Install:
    """One install that is under way since `began` (by `clock.now`).

    It has its turn: who makes it holds the lock of the installs, whose descriptor is given.
    """

    def __init__(self, places: Places, request: Request, choice: Choice, lock: int, began: float) -> None:
        self._places = places
        self._request = request
        self._choice = choice
        self._lock = lock
        self._began = began
        self._venv = places.venvs / choice.name
        self._environment = {**os.environ, **cache_environment(places, choice.version)}

    def run(self) -> Facts:
        """Bring what is missing, have it prove itself, and use it from now on. `WorkError`."""
        choice, venv = self._choice, self._venv
        keep.remove_unproven(self._places, venv)
        self._beside_libraries(self._bring)
        say(f"checking that vLLM {choice.version} runs on {choice.target}")
        self._prove()
        keep.switch(self._places, venv)
        keep.link_install(self._places, self._request.environment_key, venv)
        say(f"vLLM {choice.version} is installed, in {self._seconds} s")
        return {
            "vllm": choice.version,
            "target": choice.target,
            "environment": choice.name,
            "seconds": self._seconds,
        }

    @property
    def _seconds(self) -> int:
        return int(now() - self._began)

    def _beside_libraries(self, work: Callable[[], None]) -> None:
        """Do the work beside apt, which brings the driver's compatibility libraries: neither needs the other."""
        if self._choice.target != CUDA:
            work()
            return
        request, version = self._request, self._choice.version
        with ThreadPoolExecutor(1) as beside:
            libraries = beside.submit(install_libraries, self._places, request.driver, request.install, version)
            work()
            libraries.result()

    def _bring(self) -> None:
        venv, choice = self._venv, self._choice
        if keep.is_proven(venv):
            return
        self._check_disk()
        uv = Uv(ensure_uv(self._places), {**self._environment, **QUIET}, self._lock)
        if choice.lock:
            self._install_wheel(uv, choice.lock)
        else:
            self._build(uv)

    def _check_disk(self) -> None:
        brought = [self._venv]
        # On the same disk uv's cache and the environment share files.
        if cache_root(self._places) is None:
            brought.append(self._places.home / ".cache/uv")
        check_disk(self._choice.needed_mb, self._places.base, brought)

    def _install_wheel(self, uv: Uv, lock: Lock) -> None:
        """An interrupted one is made anew: it may hold half a package, and all that came is in uv's cache."""
        choice, venv = self._choice, self._venv
        say(
            f"installing vLLM {choice.version} for {choice.target} on {platform.machine()}: {lock.packages} packages, "
            f"{gigabytes(lock.download_mb)} GB, {gigabytes(choice.needed_mb)} GB installed"
        )
        make_venv(uv, venv, choice.target)
        # With a cache on another disk, into that and from there to this one.
        most_mb = choice.needed_mb * (1 if cache_root(self._places) is None else 2)
        install_packages(uv, venv, choice, lock, most_mb=most_mb, began=self._began)
        if choice.target == CPU:
            name_cpu_build(venv, choice.version)

    def _build(self, uv: Uv) -> None:
        """A build takes long, so it goes on where it was stopped, in the environment that is there."""
        request, venv = self._request, self._venv
        if not os.access(venv / "bin/python", os.X_OK):
            make_venv(uv, venv, self._choice.target)
        build(
            self._places,
            venv,
            self._choice.version,
            way=BUILD if request.install == SOURCE else PRECOMPILED,
            triton=request.triton,
            jobs=request.jobs,
            held=[self._lock],
        )

    def _prove(self) -> None:
        """Try it, and write down what was found."""
        choice, venv, file = self._choice, self._venv, self._places.manifest
        try:
            found = prove(self._places, venv, choice, self._environment)
        except WorkError:
            keep.doubt(self._places, venv)
            raise
        if not (keep.is_proven(venv) and manifest.is_recorded(file, "install", choice.name)):
            driver = manifest.read(file).get("driver", {}).get("driver", "")
            asked = {"install": self._request.install, "target": choice.target, "driver": driver}
            manifest.record(file, "install", choice.name, {**asked, **found, "seconds": self._seconds})
        keep.mark_proven(venv)


def main(words: Sequence[str]) -> Facts:
    """Install what the words ask for. `WorkError`."""
    began, request, here = now(), parse(words), places()
    # A filesystem that is not there is told before all else.
    cache_root(here)
    with locked(here.base / "install.lock") as lock:
        verify(here, request.driver, request.install, request.version_for(GPU_TARGET))
        choice = choose(request, accelerator(), platform.machine())
        return Install(here, request, choice, lock, began).run()


if __name__ == "__main__":
    run_work(lambda: main(sys.argv[1:]))
