"""The compilers of a build: found, or installed with apt where that can be, or missed in one line.

What is found is given back as variables for the build's environment.
"""

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from components.on_machine.shared.apt import apt_as_root
from components.on_machine.shared.paths import Places
from components.on_machine.shared.work import WorkError, say
from components.vllm.release.install.source_pins import Pins

Ask = Callable[..., str | None]
"""What a program with its arguments prints; None when it failed."""
Install = Callable[[str], bool]
"""Installs a package of apt; whether that succeeded."""

COMPILERS = ("g++", "g++-13", "g++-14")
RELEASE = re.compile(r"release ([0-9.]*),")
CUDA_FOLDERS = Path("/usr/local")


@dataclass(frozen=True)
class Nvcc:
    """A compiler for CUDA."""

    release: str
    program: Path

    @property
    def cuda_home(self) -> Path:
        return self.program.resolve().parent.parent


def at_least(version: str, oldest: str) -> bool:
    """Whether a version is that one or newer."""
    return _numbers(version) >= _numbers(oldest)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def apt_install(places: Places, package: str) -> bool:
    """Install a package; whether that succeeded."""
    say(f"installing {package}, as root, with apt")
    return apt_as_root(places, "update") and apt_as_root(places, "install", "-y", package)


def need_compiler(pins: Pins, ask: Ask, install: Install) -> dict[str, str]:
    """A GCC that is new enough. `WorkError` when there is none to be had."""
    package = "g++-13" if pins.gcc == "13" else "g++"
    found = find_compiler(pins.gcc, ask)
    if found is None and install(package):
        found = find_compiler(pins.gcc, ask)
    if found is None:
        raise WorkError(
            f"vLLM {pins.version} needs GCC {pins.gcc} or newer, and apt has no {package}: use imageFamily "
            "lambda-stack-24-04, or vllmVersion 0.19.1",
            "no-compiler",
        )
    name, version = found
    say(f"compiler: {name} {version}")
    return {"CXX": name, "CC": name.replace("g++", "gcc"), "CUDAHOSTCXX": name}


def find_compiler(oldest: str, ask: Ask) -> tuple[str, str] | None:
    """The first that is new enough, by its name and version."""
    for name in COMPILERS:
        version = ask(name, "-dumpfullversion")
        if version and at_least(version, oldest):
            return name, version
    return None


def need_nvcc(
    pins: Pins, path: str, ask: Ask, install: Install, *, cuda_folders: Path = CUDA_FOLDERS
) -> dict[str, str]:
    """An nvcc that fits torch, put before `path`. `WorkError` when there is none to be had."""
    package = f"cuda-toolkit-{pins.cuda.replace('.', '-')}"
    found = choose_nvcc(find_nvcc(path, ask, cuda_folders), pins.cuda)
    if found is None and install(package):
        found = choose_nvcc(find_nvcc(path, ask, cuda_folders), pins.cuda)
    if found is None:
        raise WorkError(
            f"vLLM {pins.version} needs nvcc of CUDA {_major(pins.cuda)}, as torch {pins.torch} has, and apt has no "
            f"{package}: install NVIDIA's CUDA toolkit {pins.cuda}, or set install to wheel",
            "no-nvcc",
        )
    home = str(found.cuda_home)
    say(f"nvcc: {found.release} in {home}")
    return {"CUDA_HOME": home, "PATH": f"{home}/bin:{path}"}


def find_nvcc(path: str, ask: Ask, cuda_folders: Path) -> list[Nvcc]:
    """Those that are there; the one on `path` last."""
    programs = sorted(cuda_folders.glob("cuda*/bin/nvcc"))
    if on_path := shutil.which("nvcc", path=path):
        programs.append(Path(on_path))
    told = ((program, RELEASE.search(ask(program, "--version") or "")) for program in programs)
    return [Nvcc(release[1], program) for program, release in told if release]


def choose_nvcc(found: Iterable[Nvcc], cuda: str) -> Nvcc | None:
    """Of torch's CUDA, or another of the same major version, the newest; of those that are alike the last."""
    fitting = [nvcc for nvcc in found if _major(nvcc.release) == _major(cuda)]
    return max(reversed(fitting), key=lambda nvcc: (nvcc.release == cuda, _numbers(nvcc.release)), default=None)


def _major(version: str) -> str:
    return version.partition(".")[0]


def rust(places: Places, pins: Pins, path: str, ask: Ask) -> dict[str, str]:
    """Where Rust is looked for, before `path`; says what there is.

    setup.py goes on without it: vllm-rs is another front end, which serves only with VLLM_USE_RUST_FRONTEND=1.
    """
    if not pins.rust:
        return {}
    path = f"{places.home}/.cargo/bin:{path}"
    cargo = shutil.which("cargo", path=path)
    # "cargo 1.95.0 (f2d3ce0bd 2026-03-21)"
    words = ((ask(cargo, "--version") if cargo else None) or "").split()
    has_rustup = shutil.which("rustup", path=path) is not None
    say(rust_line(pins.rust, words[1] if len(words) > 1 else "", has_rustup=has_rustup))
    return {"PATH": path}


def rust_line(wanted: str, found: str, *, has_rustup: bool) -> str:
    """What comes of the Rust that is there, `found` being empty when there is none."""
    if has_rustup:
        return f"Rust: rustup brings {wanted}, which this vLLM asks for"
    if found and at_least(found, wanted):
        return f"Rust: {found}"
    return f"Rust: {found or 'none'}; without {wanted} the optional vllm-rs is left out, which vllm serve does not need"
