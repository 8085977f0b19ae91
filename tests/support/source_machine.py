"""A machine that builds vLLM from source: the real programs, git, uv and pip, with small repositories and wheels, and
programs that play the GPU, the compilers and root."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from components.on_machine.shared.paths import RELEASE, Places
from components.vllm.programs import PACKAGE
from components.vllm.release.install.versions import TOOLS
from localcloud.machines.accelerator import read_accelerator
from localcloud.machines.disk import lay_nvidia_smi
from tests.support.machine_release import lay_release
from tests.support.vllm_repositories import Layout, make_triton, make_vllm, make_wheels

UV = Path(sys.executable).with_name("uv")


class Registry:
    """What machines reach: the two repositories and the wheels."""

    def __init__(self, folder: Path, layout: Layout, *, cuda: str | None = "", leave_out: str = "") -> None:
        self.layout = layout
        self.wheels = folder / "wheels"
        self.vllm = make_vllm(folder / "vllm", layout, leave_out=leave_out)
        self.triton = make_triton(folder / "triton", layout)
        make_wheels(self.wheels, layout, cuda=layout.cuda if cuda == "" else cuda)


class SourceMachine:
    """A home directory with our programs and an empty environment, and a PATH with played programs first."""

    def __init__(self, folder: Path, registry: Registry, cache: Path | None = None) -> None:
        self.home = folder / "home"
        places = Places(self.home)
        self.base = places.base
        self.venv = self.home / "venv"
        self.cache = cache or self.base
        self._registry = registry
        self._bin = folder / "bin"
        self._bin.mkdir(parents=True)
        lay_release(self.home)
        if cache is not None:
            places.cache.write_text(f"{cache}\n")
        uv = self.base / f"uv-{TOOLS['uv']}/bin/uv"
        uv.parent.mkdir(parents=True)
        uv.symlink_to(UV)
        self.make_venv()
        accelerator = read_accelerator("gh200-580")
        assert accelerator is not None
        lay_nvidia_smi(self._bin / "nvidia-smi", self._bin / "accelerator.json", accelerator, ["GPU-0"])
        self.play("sudo", 'echo "sudo $*" >>"$HOME/called"; exit 1')
        self.play_compilers()

    def make_venv(self) -> None:
        """An empty environment, in place of the one that is there."""
        subprocess.run([UV, "venv", "--clear", "--quiet", "--python", sys.executable, self.venv], check=True)

    def play(self, program: str, script: str) -> None:
        """Put a program before all others."""
        file = self._bin / program
        file.write_text(f"#!/bin/bash\n{script}\n")
        file.chmod(0o755)

    def play_compilers(self, gcc: str = "13.3.0", nvcc: str | None = None) -> None:
        """Compilers that say their version, nvcc of torch's CUDA unless another is given."""
        for name in ("g++", "g++-13", "g++-14"):
            self.play(name, f"echo {gcc}")
        self.play("nvcc", f"echo 'Cuda compilation tools, release {nvcc or self._registry.layout.cuda}, V1'")
        self.play("cargo", "echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'")
        self.play("rustup", "exit 0")

    def without(self, *programs: str) -> None:
        """Programs that end with an error, as those that are not there."""
        for program in programs:
            self.play(program, 'echo "$0 was run" >>"$HOME/called"; exit 127')

    def environment(self, **more: str) -> dict[str, str]:
        """Offline: what is not in the registry is not there."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "VLLM_REPOSITORY": self._registry.vllm,
            "TRITON_REPOSITORY": self._registry.triton,
            "UV_OFFLINE": "1",
            "UV_FIND_LINKS": str(self._registry.wheels),
            "UV_CACHE_DIR": str(self.home / "uv-cache"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self._registry.wheels),
            **more,
        }

    def start(self, *words: str, version: str = "", **more: str) -> "subprocess.Popen[str]":
        """The build, begun; in a process group of its own."""
        version = version or self._registry.layout.version
        return subprocess.Popen(
            ["python3", "-m", f"{PACKAGE}.install.source", str(self.venv), version, *(words or ("build",))],
            cwd=self.home / RELEASE,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def build(self, *words: str, version: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        """The build, run to its end."""
        started = self.start(*words, version=version, **more)
        out, err = started.communicate(timeout=240)
        return subprocess.CompletedProcess(started.args, started.returncode, out, err)

    def told(self, package: str = "vllm") -> dict[str, Any]:
        """What the backend that built the installed package was told."""
        (file,) = self.venv.glob(f"lib/*/site-packages/{package}/told.json")
        told: dict[str, Any] = json.loads(file.read_text())
        return told

    def version_of(self, package: str) -> str:
        """The installed version; empty when there is none."""
        code = f"from importlib.metadata import version; print(version({package!r}))"
        asked = subprocess.run([self.venv / "bin/python", "-c", code], capture_output=True, text=True, check=False)
        return asked.stdout.strip()

    @property
    def recorded(self) -> dict[str, Any]:
        """The section of the manifest."""
        section: dict[str, Any] = json.loads((self.base / "manifest.json").read_text())["build"]
        return section

    @property
    def kept(self) -> Path:
        """The one wheel of vLLM on the cache."""
        (wheel,) = self.cache.glob("wheels/v*/vllm-*.whl")
        return wheel

    @property
    def called(self) -> str:
        """What was asked of root and of programs that are not there."""
        log = self.home / "called"
        return log.read_text() if log.exists() else ""


def succeeded(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line that says why."""
    assert done.returncode != 0, done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]
