"""Builds vLLM from its source at a pinned tag and installs it.

The wheel is kept by what it was built from, so that a second machine with the same filesystem neither clones nor
compiles. A build that was interrupted goes on: a clone that is whole is kept, and ninja compiles what is left.
"""

import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from components.on_machine.install.source import toolchain
from components.on_machine.install.source.clone import clone, commit_of, triton_folder, use_installed_torch
from components.on_machine.install.source.compilation import Builder, build_variables, jobs_of_machine
from components.on_machine.install.source.plan import BUILD, PRECOMPILED, Plan, plan_build
from components.on_machine.install.source.precompiled import take_compiled_parts
from components.on_machine.install.source.pytorch import install_torch
from components.on_machine.install.source.tools import Tools
from components.on_machine.install.source.wheels import Shelf, install_wheels
from components.on_machine.shared import manifest
from components.on_machine.shared.caches import cache_environment, cache_root
from components.on_machine.shared.clock import now
from components.on_machine.shared.locks import is_locked, locked
from components.on_machine.shared.paths import Places
from components.on_machine.shared.uv import QUIET, ensure_uv
from components.on_machine.shared.work import say

VLLM = "https://github.com/vllm-project/vllm.git"
TRITON = "https://github.com/triton-lang/triton.git"
SECTION = "build"
"""Of the machine's manifest."""
MARK = ".built-from-source"
"""In an environment: which build is in it."""


def build(
    places: Places,
    venv: Path,
    version: str,
    *,
    way: str,
    triton: bool,
    jobs: int | None,
    held: Sequence[int] = (),
) -> None:
    """Have this version in the environment `venv`, which is there already. `WorkError`.

    `way` is `build` or `precompiled`: then the compiled parts come from the release's own wheel. `triton` builds
    Triton too. `jobs` is the number of compilers at once; None for as many as cores and memory bear. `held` are
    descriptors of locks that what is run has to hold besides that of the build.
    """
    began = now()
    planned = plan_build(venv, version, way, triton=triton)
    uv = ensure_uv(places)
    lock = places.base / "source" / f"{planned.key}.lock"
    if is_locked(lock):
        say(f"waiting for another build of vLLM {version} on this machine")
    # One build of a key at a time. A compiler that outlived its script holds the lock as well, until it is done.
    with locked(lock) as own:
        if is_installed(places, venv, planned.key):
            say(f"vLLM {version}, built from source, is installed")
            return
        work = places.base / "source" / planned.key
        section = _Build(places, venv, planned, uv, work, (own, *held)).run(jobs, began)
        manifest.record(places.manifest, SECTION, planned.key, section)
        (venv / MARK).write_text(f"{planned.key}\n")
        # The tree and its objects are some gigabytes.
        shutil.rmtree(work, ignore_errors=True)
        commit, seconds = section["commit"][:12], section["seconds"]
        say(f"vLLM {version} is built from source ({section['from']}, commit {commit}, {seconds} s)")


def is_installed(places: Places, venv: Path, key: str) -> bool:
    """By the manifest, which is of the machine, and the mark of the environment, which may be a new one."""
    mark = venv / MARK
    return manifest.is_recorded(places.manifest, SECTION, key) and mark.is_file() and mark.read_text().strip() == key


class _Build:
    """The build of one plan on this machine, whose locks are held."""

    def __init__(self, places: Places, venv: Path, planned: Plan, uv: Path, work: Path, locks: Sequence[int]) -> None:
        self._places = places
        self._plan = planned
        self._work = work
        self._work.mkdir(parents=True, exist_ok=True)
        self._kept = cache_root(places) or places.base
        self._shelf = Shelf(self._kept / "wheels", planned.key, places.base)
        environment = {**os.environ, **cache_environment(places, planned.pins.version), **QUIET}
        self._tools = Tools(uv, venv, self._work, locks, environment)

    def run(self, jobs: int | None, began: float) -> manifest.Section:
        """Install from the shelf, or else from sources; what the manifest says of it."""
        pins = self._plan.pins
        is_kept = self._shelf.is_kept()
        if is_kept:
            say(f"the wheel of vLLM {pins.version} is in {self._shelf.wheels}")
            install_torch(self._tools, self._plan)
            self._install(self._shelf.folder)
            commit = self._shelf.commit
        else:
            self._find_compilers()
            install_torch(self._tools, self._plan)
            commit = self._build(self._builder(jobs, began))
        return {
            "tag": f"v{pins.version}",
            "commit": commit,
            "torch": pins.torch,
            "cuda": pins.cuda,
            "arch": self._plan.capabilities,
            "seconds": int(now() - began),
            "from": "cache" if is_kept else "built",
        }

    def _find_compilers(self) -> None:
        tools, pins = self._tools, self._plan.pins
        install = partial(toolchain.apt_install, self._places)
        if self._plan.compiles:
            tools.environment |= toolchain.need_compiler(pins, tools.ask, install)
        if self._plan.way == BUILD:
            tools.environment |= toolchain.need_nvcc(pins, tools.path, tools.ask, install)
            tools.environment |= toolchain.rust(self._places, pins, tools.path, tools.ask)

    def _builder(self, jobs: int | None, began: float) -> Builder:
        variables = build_variables(self._plan, jobs or jobs_of_machine(), self._work, self._kept, self._tools.path)
        log = self._places.logs / f"source-{self._plan.pins.version}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        return Builder(self._tools, self._plan, variables, self._work / "wheels", log, began)

    def _build(self, builder: Builder) -> str:
        """Build the wheels, keep and install them; the commit that they were built from."""
        plan, tools = self._plan, self._tools
        version, sources, built = plan.pins.version, self._work / "vllm", self._work / "wheels"
        clone(tools, "vLLM", os.environ.get("VLLM_REPOSITORY") or VLLM, f"v{version}", sources)
        shutil.rmtree(built, ignore_errors=True)
        if plan.triton:
            folder = self._work / "triton"
            clone(tools, "Triton", os.environ.get("TRITON_REPOSITORY") or TRITON, f"v{plan.pins.triton}", folder)
            # Apart from torch, with requirements of its own.
            builder.build("Triton", triton_folder(folder), *plan.capped)
        use_installed_torch(tools, sources, version, plan.capped)
        # The stripped requirements make the tree differ from its tag, which would make another version of it.
        variables = {"SETUPTOOLS_SCM_PRETEND_VERSION": version}
        if plan.way == PRECOMPILED:
            variables |= take_compiled_parts(tools, plan, self._work / "release")
        builder.build("vLLM", sources, "--no-build-isolation", variables=variables)
        commit = commit_of(tools, sources)
        self._shelf.keep(built, commit)
        self._install(built)
        return commit

    def _install(self, wheels: Path) -> None:
        install_wheels(self._tools, self._plan, wheels, self._work)
