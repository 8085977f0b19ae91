"""vLLM from source: every layout that its repository has had, and what another machine is spared."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.long import cases
from tests.support.source_machine import Registry, SourceMachine, succeeded
from tests.support.vllm_repositories import LAYOUTS, Layout

TODAY = LAYOUTS["0.32.0"]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry", TODAY)


@pytest.fixture
def machine(tmp_path: Path, registry: Registry) -> SourceMachine:
    return SourceMachine(tmp_path / "machine", registry, tmp_path / "cache")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_each_layout_is_built_with_the_installed_torch_and_its_own_build_requirements(
    layout: Layout, tmp_path: Path
) -> None:
    machine = SourceMachine(tmp_path / "machine", Registry(tmp_path / "registry", layout))
    out = succeeded(machine.build())
    assert f"({layout.strip}), build requirements from {layout.requirements}" in out
    assert machine.version_of("vllm") == layout.version
    assert machine.version_of("torch") == layout.torch
    assert machine.version_of("triton") == layout.triton
    assert machine.told()["TORCH_CUDA_ARCH_LIST"] == "9.0"
    assert (machine.recorded["tag"], machine.recorded["from"]) == (f"v{layout.version}", "built")
    assert len(machine.recorded["commit"]) == 40
    assert not list(machine.base.glob("source/*/vllm"))


def test_the_build_is_told_the_gpu_the_compilers_and_how_many_of_them(machine: SourceMachine) -> None:
    succeeded(machine.build("build", "--jobs", "7"))
    told = machine.told()
    assert (told["MAX_JOBS"], told["NVCC_THREADS"], told["CXX"]) == ("7", "2", "g++")
    assert told["CUDA_HOME"] == str(machine.home.parent)
    assert told["FETCHCONTENT_BASE_DIR"].startswith(str(machine.base))


def test_without_a_word_about_jobs_they_follow_from_the_machine(machine: SourceMachine) -> None:
    succeeded(machine.build())
    assert 1 <= int(machine.told()["MAX_JOBS"]) <= (os.cpu_count() or 1)


def test_ccache_keeps_its_objects_on_the_filesystem(machine: SourceMachine) -> None:
    machine.play("ccache", "exit 0")
    succeeded(machine.build())
    assert machine.told()["CCACHE_DIR"] == str(machine.cache / "ccache")


def test_a_second_machine_installs_the_kept_wheel_without_clone_or_compiler(
    machine: SourceMachine, registry: Registry, tmp_path: Path
) -> None:
    succeeded(machine.build())
    second = SourceMachine(tmp_path / "second", registry, machine.cache)
    second.without("git", "g++", "g++-13", "g++-14", "nvcc", "cargo", "rustup")
    succeeded(second.build())
    assert second.called == ""
    assert second.told() == machine.told()
    assert second.recorded["from"] == "cache"
    assert second.recorded["commit"] == machine.recorded["commit"]


def test_what_is_installed_is_not_built_again(machine: SourceMachine) -> None:
    succeeded(machine.build())
    machine.kept.unlink()
    machine.without("git", "g++")
    assert "is installed" in succeeded(machine.build())
    assert machine.called == ""


def test_a_new_environment_gets_the_kept_wheel_though_another_had_it(machine: SourceMachine) -> None:
    succeeded(machine.build())
    machine.make_venv()
    machine.without("git", "g++")
    succeeded(machine.build())
    assert machine.version_of("vllm") == "0.32.0"


@pytest.mark.parametrize("mode", [("build", "--triton"), ("precompiled",)])
def test_a_wheel_of_another_mode_is_not_taken_for_this_one(
    mode: tuple[str, ...], machine: SourceMachine, registry: Registry, tmp_path: Path
) -> None:
    succeeded(machine.build())
    second = SourceMachine(tmp_path / "second", registry, machine.cache)
    succeeded(second.build(*mode))
    assert second.recorded["from"] == "built"


def test_a_truncated_wheel_on_the_filesystem_is_noticed_and_built_again(
    machine: SourceMachine, registry: Registry, tmp_path: Path
) -> None:
    succeeded(machine.build())
    with machine.kept.open("r+b") as wheel:
        wheel.truncate(machine.kept.stat().st_size // 2)
    second = SourceMachine(tmp_path / "second", registry, machine.cache)
    assert "is damaged: building it again" in succeeded(second.build())
    assert second.recorded["from"] == "built"
    assert subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=machine.kept.parent, check=False).returncode == 0


@pytest.mark.parametrize("version", cases(((one, one) for one in ("0.6.3.post1", "0.19.1", "0.33.0")), {"0.33.0"}))
def test_triton_is_built_from_source_when_asked_wherever_that_version_keeps_it(version: str, tmp_path: Path) -> None:
    layout = LAYOUTS[version]
    machine = SourceMachine(tmp_path / "machine", Registry(tmp_path / "registry", layout))
    assert f"cloning Triton v{layout.triton}" in succeeded(machine.build("build", "--triton"))
    assert machine.version_of("triton") == f"{layout.triton}+git1"
    assert machine.version_of("vllm") == version


def test_precompiled_takes_the_parts_of_the_release_and_needs_no_compiler(machine: SourceMachine) -> None:
    machine.without("g++", "g++-13", "g++-14", "nvcc", "cargo")
    succeeded(machine.build("precompiled"))
    assert Path(machine.told()["release"]).name == "vllm-0.32.0-py3-none-any.whl"
    assert machine.called == ""
