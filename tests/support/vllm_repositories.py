"""Small git repositories with their files where vLLM and Triton have them, and the wheels that a build from source asks
for. What is built is real and small: the repositories bring a build backend that writes down what it was told."""

import base64
import hashlib
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROMISED = (
    "TORCH_CUDA_ARCH_LIST",
    "MAX_JOBS",
    "NVCC_THREADS",
    "CXX",
    "CUDA_HOME",
    "FETCHCONTENT_BASE_DIR",
    "CCACHE_DIR",
)
"""Variables that the backend writes into the wheel, as are those of the precompiled mode."""

# Deletes what the real one deletes; --prefix is known from some version on.
STRIP = """import glob, sys
{prefix}
for file in glob.glob("requirements*.txt") + glob.glob("requirements/**/*.txt", recursive=True) + ["pyproject.toml"]:
    lines = open(file).readlines()
    gone = (lambda line: line.startswith("torch=")) if len(sys.argv) > 1 else (lambda line: "torch" in line)
    open(file, "w").writelines(line for line in lines if not gone(line))
"""
BACKEND = """import base64, hashlib, json, os, subprocess, sys, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name, version = {name!r}, os.environ.get("SETUPTOOLS_SCM_PRETEND_VERSION", {version!r})
    for module in {requires!r}:
        __import__(module)
    # A test may play what the compiler does.
    status = subprocess.call("if command -v stand-in-compiler; then stand-in-compiler " + name + "; fi", shell=True)
    if status:
        sys.exit(status)
    print("[1/2] Building CUDA object a.cu.o")
    print("[2/2] Linking")
    told = {{key: os.environ.get(key) for key in {promised!r}}}
    told["release"] = os.environ.get("VLLM_USE_PRECOMPILED") and os.environ["VLLM_PRECOMPILED_WHEEL_LOCATION"]
    info = name + "-" + version + ".dist-info/"
    wheel = name + "-" + version + "-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\\nName: " + name + "\\nVersion: " + version + "\\n"
    if name == "vllm":
        metadata += "Requires-Dist: torch>=2\\n" + {depends!r}
    with zipfile.ZipFile(os.path.join(directory, wheel), "w") as archive:
        archive.writestr(name + "/__init__.py", "")
        archive.writestr(name + "/told.json", json.dumps(told))
        archive.writestr(info + "METADATA", metadata)
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "RECORD", "")
    return wheel
"""
PYPROJECT = """[build-system]
requires = [
"torch == 0.0.1",
]
build-backend = "backend"
backend-path = ["."]
"""


@dataclass(frozen=True)
class Layout:
    """Where one version of vLLM has its files, and what it is built with."""

    version: str
    torch: str
    torchvision: str
    torchaudio: str
    triton: str
    cuda: str
    strip: str
    knows_prefix: bool
    requirements: str
    triton_folder: str = "."
    depends: str = ""


LAYOUTS = {
    layout.version: layout
    for layout in (
        Layout(
            version="0.6.3.post1",
            torch="2.4.0",
            torchvision="0.19.0",
            torchaudio="2.4.0",
            triton="3.0.0",
            cuda="12.4",
            strip="use_existing_torch.py",
            knows_prefix=False,
            requirements="requirements-build.txt",
            triton_folder="python",
            depends="Requires-Dist: pyairports\n",
        ),
        Layout(
            version="0.19.1",
            torch="2.10.0",
            torchvision="0.25.0",
            torchaudio="2.10.0",
            triton="3.6.0",
            cuda="12.8",
            strip="use_existing_torch.py",
            knows_prefix=True,
            requirements="requirements/build.txt",
        ),
        Layout(
            version="0.32.0",
            torch="2.13.0",
            torchvision="0.28.0",
            torchaudio="2.11.0",
            triton="3.7.1",
            cuda="13.0",
            strip="tools/use_existing_torch.py",
            knows_prefix=True,
            requirements="requirements/build/cuda.txt",
        ),
        Layout(
            version="0.33.0",
            torch="2.14.0",
            torchvision="0.29.0",
            torchaudio="2.11.0",
            triton="3.8.0",
            cuda="13.0",
            strip="tools/use_existing_torch.py",
            knows_prefix=True,
            requirements="requirements/build/cuda.txt",
        ),
    )
}


def make_vllm(folder: Path, layout: Layout, *, leave_out: str = "") -> str:
    """A repository of vLLM with the version's tag; its URL. `leave_out` is a file that it shall not have."""
    # A line of another package with torch in its name shows whether --prefix was given.
    requires = ["stand-in-builder==1.0", "torch==0.0.1", *(["grid-of-torches==1.0"] if layout.knows_prefix else [])]
    imports = ["stand_in_builder", *(["grid_of_torches"] if layout.knows_prefix else [])]
    prefix = 'assert sys.argv[1:] in ([], ["--prefix"])' if layout.knows_prefix else "assert not sys.argv[1:]"
    files = {
        "pyproject.toml": PYPROJECT,
        "backend.py": BACKEND.format(
            name="vllm", version="0", requires=imports, promised=PROMISED, depends=layout.depends
        ),
        layout.strip: STRIP.format(prefix=prefix),
        layout.requirements: "".join(f"{line}\n" for line in requires),
    }
    files.pop(leave_out, None)
    return _repository(folder, files, f"v{layout.version}")


def make_triton(folder: Path, layout: Layout) -> str:
    """A repository of Triton with the tag that belongs to the layout's torch; its URL."""
    backend = BACKEND.format(name="triton", version=f"{layout.triton}+git1", requires=[], promised=PROMISED, depends="")
    files = {
        "pyproject.toml": PYPROJECT.replace('"torch == 0.0.1",\n', ""),
        "setup.py": "",
        "backend.py": backend,
    }
    placed = {str(Path(layout.triton_folder) / name): text for name, text in files.items()}
    return _repository(folder, {"README.md": "", **placed}, f"v{layout.triton}")


def make_wheels(folder: Path, layout: Layout, *, cuda: str | None) -> None:
    """The wheels that are installed beside: torch, built for `cuda` or for CPUs only, and what builds."""
    folder.mkdir(parents=True, exist_ok=True)
    torch = {"torch/__init__.py": "from . import version\n", "torch/version.py": f"cuda = {cuda!r}\n"}
    make_wheel(folder, "torch", layout.torch, torch)
    for name, version in (
        ("torchvision", layout.torchvision),
        ("torchaudio", layout.torchaudio),
        ("triton", layout.triton),
        ("stand_in_builder", "1.0"),
        ("grid_of_torches", "1.0"),
    ):
        make_wheel(folder, name, version, {f"{name}/__init__.py": ""})
    make_wheel(folder, "vllm", layout.version, {"vllm/_C.abi3.so": "compiled"})


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """A wheel of text files."""
    info = f"{name}-{version}.dist-info"
    all_files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in all_files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(_record(path, text) for path, text in all_files.items()))
    return wheel


def _record(path: str, text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(text.encode())}\n"


def _repository(folder: Path, files: Mapping[str, str], tag: str) -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "everything"], ["tag", tag]):
        _git(folder, command)
    # What came after the tag must not be built.
    (folder / "backend.py").write_text("raise SystemExit('not the tag')\n")
    for command in (["add", "."], ["commit", "--quiet", "-m", "later"]):
        _git(folder, command)
    return folder.as_uri()


def _git(folder: Path, command: Sequence[str]) -> None:
    author = ["-c", "user.name=Author", "-c", "user.email=author@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *author, *command], cwd=folder, check=True)
