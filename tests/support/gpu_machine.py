"""A home directory with our programs on it, and programs that play the GPU's driver, root and the package installer."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from components.on_machine.shared.files import read_variables
from components.on_machine.shared.paths import RELEASE, Places
from components.vllm.programs import PACKAGE
from components.vllm.release.install.versions import TOOLS
from localcloud.machines.accelerator import read_accelerator
from localcloud.machines.disk import lay_nvidia_smi
from tests.support.machine_release import lay_release

FAKE_UV = """
echo "uv $*" >>"$HOME/called"
if [[ $1 == venv ]]; then
    mkdir -p "${!#}/bin"
    cp "$HOME/fake-python" "${!#}/bin/python"
fi
"""
PROOF = '{"vllm": "0.32.0", "torch": "2.13.0+cu130", "cuda": "13.0", "gpu": "NVIDIA GH200 480GB"}'
APT_KNOWS = """
 nvidia-driver-580-server-open | 580.95.05-0lambda0.24.04.1 | http://mirror/ubuntu noble/main arm64 Packages
 nvidia-driver-580-server-open | 580.105.08-0lambda0.24.04.1 | http://mirror/ubuntu noble/main arm64 Packages
 nvidia-driver-580-server-open | 580.126.09-0ubuntu0.24.04.1 | http://mirror/ubuntu noble/main arm64 Packages
 nvidia-driver-580-server-open | 580.105.08-0lambda0.22.04.1 | http://mirror/ubuntu jammy/main arm64 Packages
 cuda-compat-13-0 | 580.95.05-0ubuntu1 | http://mirror/ubuntu noble/main arm64 Packages
"""


class GpuMachine:
    """The machine; `called` tells what was asked of root and of the installer."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.places = Places(self.home)
        self.base = self.places.base
        self.settings = self.places.settings
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self.environment = {"HOME": str(self.home), "PATH": f"{self.bin}:{os.environ['PATH']}"}
        lay_release(self.home)
        uv = self.base / f"uv-{TOOLS['uv']}/bin/uv"
        uv.parent.mkdir(parents=True)
        self._write(uv, FAKE_UV)
        self.play("sudo", 'echo "sudo $*" >>"$HOME/called"')
        self.play("df", "echo Avail; echo 900000")
        self.play("lsb_release", "echo 24.04")
        self.play("dpkg-query", "exit 1")
        self.play("apt-cache", f"grep -F \" $2 |\" <<<'{APT_KNOWS}'")
        self.play("systemctl", '[[ $* == *"is-active"*" ssh.service" ]]')
        self.play("cloud-init", "")
        self.proves(f"echo '{PROOF}'")

    def play(self, program: str, script: str) -> None:
        """Put a program on the machine's PATH."""
        self._write(self.bin / program, script)

    def accelerator(self, profile: str) -> None:
        """The GPU that is there and the driver that is installed, as `--accelerator` names them."""
        accelerator = read_accelerator(profile)
        assert accelerator is not None
        lay_nvidia_smi(self.bin / "nvidia-smi", self.bin / "accelerator.json", accelerator, ["GPU-0"])

    def proves(self, script: str) -> None:
        """What the new environment's Python does when it is asked to prove itself."""
        self._write(self.home / "fake-python", script)

    def run(self, module: str, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a module of the release to its end, whatever it has started and left."""
        command = ["python3", "-m", f"{PACKAGE}.{module}", *words]
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            done = subprocess.run(
                command,
                cwd=self.home / RELEASE,
                env=self.environment,
                input=stdin,
                text=True,
                stdout=output,
                stderr=errors,
                timeout=120,
                check=False,
            )
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, output.read(), errors.read())

    @property
    def called(self) -> str:
        """What was asked of root and of the installer."""
        log = self.home / "called"
        return log.read_text() if log.exists() else ""

    @property
    def manifest(self) -> dict[str, Any]:
        """What is written down about the machine."""
        file = self.base / "manifest.json"
        read: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return read

    @property
    def cuda_environment(self) -> dict[str, str]:
        """Variables of everything that computes here; none where none is needed."""
        return read_variables(self.places.cuda_environment)

    @staticmethod
    def _write(file: Path, script: str) -> None:
        file.write_text(f"#!/bin/bash\n{script}\n")
        file.chmod(0o755)
