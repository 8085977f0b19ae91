"""A home directory with our scripts on it, and programs that play the GPU's driver, root and the package installer."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from localcloud.machines.accelerator import read_accelerator
from localcloud.machines.disk import lay_nvidia_smi
from scripts.locks.__main__ import read_versions
from tests.support.pulumi_cli import REPOSITORY

SCRIPTS = REPOSITORY / "components/vllm/scripts"

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
        self.base = self.home / ".local/share/lambda-vllm"
        self.settings = self.home / ".config/lambda-vllm"
        self.bin = folder / "bin"
        self.environment = {"HOME": str(self.home), "PATH": f"{self.bin}:{os.environ['PATH']}"}
        for made in (self.bin, self.base / "scripts", self.settings):
            made.mkdir(parents=True)
        for file in (*SCRIPTS.glob("*.*"), *SCRIPTS.glob("locks/*")):
            (self.base / "scripts" / file.name).write_bytes(file.read_bytes())
        uv = self.base / f"uv-{read_versions()['UV_VERSION']}/bin/uv"
        uv.parent.mkdir(parents=True)
        self._write(uv, FAKE_UV)
        self.play("sudo", 'echo "sudo $*" >>"$HOME/called"')
        self.play("df", "echo Avail; echo 900000")
        self.play("lsb_release", "echo 24.04")
        self.play("dpkg-query", "exit 1")
        self.play("apt-cache", f"grep -F \" $2 |\" <<<'{APT_KNOWS}'")
        self.play("systemctl", '[[ $* == *"is-active"*" ssh.service" ]]')
        # Nothing in a test waits for its time.
        self.play("sleep", "exec /bin/sleep 0.2")
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

    def run(self, script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the scripts to its end, whatever it has started and left."""
        command = ["bash", str(self.base / "scripts" / script), *arguments]
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            done = subprocess.run(command, env=self.environment, stdout=output, stderr=errors, timeout=120, check=False)
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

    @staticmethod
    def _write(file: Path, script: str) -> None:
        file.write_text(f"#!/bin/bash\n{script}\n")
        file.chmod(0o755)
