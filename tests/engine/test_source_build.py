"""vLLM from source: every layout that its repository has had, what stops a build, what another machine is spared."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.source_machine import Registry, SourceMachine
from tests.engine.vllm_repositories import LAYOUTS, Layout

TODAY = LAYOUTS["0.32.0"]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry", TODAY)


@pytest.fixture
def machine(tmp_path: Path, registry: Registry) -> SourceMachine:
    return SourceMachine(tmp_path / "machine", registry, tmp_path / "cache")


def succeeded(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line that says why."""
    assert done.returncode != 0, done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def wait_for(seen: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.05)


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
    succeeded(machine.build(MAX_JOBS="7"))
    told = machine.told()
    assert (told["MAX_JOBS"], told["NVCC_THREADS"], told["CXX"]) == ("7", "2", "g++")
    assert told["CUDA_HOME"] == str(machine.home.parent)
    assert told["FETCHCONTENT_BASE_DIR"].startswith(str(machine.base))


def test_without_a_word_about_jobs_they_follow_from_the_machine(machine: SourceMachine) -> None:
    succeeded(machine.build())
    assert 1 <= int(machine.told()["MAX_JOBS"]) <= (os.cpu_count() or 1)


def test_jobs_that_are_no_number_are_refused(machine: SourceMachine) -> None:
    assert "MAX_JOBS is many" in refused(machine.build(MAX_JOBS="many"))


def test_ccache_keeps_its_objects_on_the_filesystem(machine: SourceMachine) -> None:
    machine.play("ccache", "exit 0")
    succeeded(machine.build())
    assert machine.told()["CCACHE_DIR"] == str(machine.cache / "ccache")


def test_a_torch_for_cpus_stops_before_anything_is_cloned_or_built(tmp_path: Path) -> None:
    machine = SourceMachine(tmp_path / "machine", Registry(tmp_path / "registry", TODAY, cuda=None))
    machine.without("git")
    assert "torch 2.13.0 is one for CPUs" in refused(machine.build())
    assert "git was run" not in machine.called
    assert machine.version_of("vllm") == ""


def test_a_torch_for_another_cuda_stops_the_build(tmp_path: Path) -> None:
    machine = SourceMachine(tmp_path / "machine", Registry(tmp_path / "registry", TODAY, cuda="12.8"))
    assert "torch 2.13.0 is one for CUDA 12.8, while vLLM 0.32.0 needs CUDA 13.0" in refused(machine.build())


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


def test_killed_while_it_compiles_and_run_again_it_ends_well(machine: SourceMachine) -> None:
    machine.play("stand-in-compiler", 'touch "$HOME/compiling"; sleep 600')
    started = machine.start()
    wait_for((machine.home / "compiling").exists)
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()
    assert not list(machine.cache.glob("wheels/v*"))
    machine.play("stand-in-compiler", "exit 0")
    assert "cloning vLLM" not in succeeded(machine.build())
    assert machine.version_of("vllm") == "0.32.0"


def test_a_clone_that_was_cut_is_thrown_away(machine: SourceMachine) -> None:
    machine.play("git", 'mkdir -p "${!#}/.git"; touch "$HOME/cloning"; sleep 600')
    started = machine.start()
    wait_for((machine.home / "cloning").exists)
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()
    assert list(machine.base.glob("source/*/vllm.new/.git"))
    machine.play("git", f'PATH="{os.environ["PATH"]}" exec git "$@"')
    succeeded(machine.build())
    assert machine.version_of("vllm") == "0.32.0"


def test_two_machines_that_build_at_once_leave_one_whole_wheel(
    machine: SourceMachine, registry: Registry, tmp_path: Path
) -> None:
    second = SourceMachine(tmp_path / "second", registry, machine.cache)
    # Neither goes on before both compile.
    meet = 'touch "{mine}/compiling"; until [[ -e "{other}/compiling" ]]; do sleep 0.1; done'
    machine.play("stand-in-compiler", meet.format(mine=machine.home, other=second.home))
    second.play("stand-in-compiler", meet.format(mine=second.home, other=machine.home))
    started = [machine.start(), second.start()]
    for build in started:
        out, err = build.communicate(timeout=240)
        assert build.returncode == 0, out + err
    third = SourceMachine(tmp_path / "third", registry, machine.cache)
    third.without("git")
    succeeded(third.build())
    assert not list(machine.cache.glob("wheels/.new*"))


def test_a_second_build_on_the_same_machine_waits_and_takes_what_the_first_built(machine: SourceMachine) -> None:
    machine.play("stand-in-compiler", 'touch "$HOME/compiling"; until [[ -e $HOME/go ]]; do sleep 0.1; done')
    first = machine.start()
    wait_for((machine.home / "compiling").exists)
    second = machine.start()
    assert second.stdout is not None
    assert "waiting for another build" in second.stdout.readline()
    (machine.home / "go").touch()
    out, err = first.communicate(timeout=240)
    assert first.returncode == 0, out + err
    out, err = second.communicate(timeout=240)
    assert second.returncode == 0, out + err
    assert "vLLM 0.32.0, built from source, is installed" in out


def test_progress_is_told_before_the_first_step_and_with_each(machine: SourceMachine) -> None:
    compiler = "until [[ -e $HOME/{}-seen ]]; do sleep 0.1; done"
    first, step = compiler.format("first"), compiler.format("step")
    machine.play("stand-in-compiler", f'{first}; echo "[42/317] Building CUDA object"; {step}')
    started = machine.start()
    assert started.stdout is not None
    assert any(re.fullmatch(r"building vLLM: \d+ s\n", line) for line in started.stdout)
    (machine.home / "first-seen").touch()
    assert any(line.startswith("building vLLM: step 42 of 317, ") for line in started.stdout)
    (machine.home / "step-seen").touch()
    started.communicate(timeout=240)
    assert started.returncode == 0


def test_a_compiler_that_memory_killed_is_told_with_the_number_of_jobs_to_try(machine: SourceMachine) -> None:
    machine.play("stand-in-compiler", "echo 'g++: fatal error: Killed signal terminated program cc1plus'; exit 1")
    done = machine.build(MAX_JOBS="24")
    assert "memory ran out, with MAX_JOBS=24: set it to 12 or less" in refused(done)


def test_a_failed_build_leaves_the_telling_lines_in_the_log(machine: SourceMachine) -> None:
    machine.play("stand-in-compiler", "echo 'FAILED: a.cu.o'; echo 'ninja: build stopped: subcommand failed.'; exit 1")
    done = machine.build()
    assert "vLLM cannot be built" in refused(done)
    assert "| FAILED: a.cu.o" in done.stderr
    assert "| ninja: build stopped" in done.stderr


def test_a_gcc_that_is_too_old_is_replaced_with_apt_or_missed_in_one_line(machine: SourceMachine) -> None:
    machine.play_compilers(gcc="11.4.0")
    line = refused(machine.build())
    assert "vLLM 0.32.0 needs GCC 13 or newer" in line
    assert "lambda-stack-24-04" in line
    # Now apt has it.
    new = machine.home / "new-g++"
    new.write_text("#!/bin/bash\necho 13.2.0\n")
    new.chmod(0o755)
    machine.play("sudo", f'[[ $* != *" g++-13" ]] || cp "{new}" "$(command -v g++-13)"')
    assert "installing g++-13, as root, with apt" in succeeded(machine.build())
    assert machine.told()["CXX"] == "g++-13"


def test_an_nvcc_of_another_cuda_is_not_used(machine: SourceMachine) -> None:
    machine.play_compilers(nvcc="12.8")
    line = refused(machine.build())
    assert "needs nvcc of CUDA 13" in line
    assert "cuda-toolkit-13-0" in line


def test_no_rust_is_told_and_no_reason_to_stop(machine: SourceMachine) -> None:
    machine.without("cargo")
    (machine.home.parent / "bin/rustup").unlink()
    out = succeeded(machine.build(PATH=f"{machine.home.parent / 'bin'}:/usr/bin:/bin"))
    assert "Rust: none; without 1.95 the optional vllm-rs is left out" in out


def test_a_version_that_is_not_pinned_is_refused_with_those_that_are(machine: SourceMachine) -> None:
    line = refused(machine.build(version="0.26.0"))
    assert "vLLM 0.26.0 is not pinned" in line
    assert "0.33.0, 0.32.0, 0.19.1, 0.6.3.post1" in line


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("tools/use_existing_torch.py", "has its use_existing_torch.py neither at the root nor in tools/"),
        ("requirements/build/cuda.txt", "has its build requirements in none of requirements-build.txt"),
    ],
)
def test_a_layout_that_nobody_knows_is_told_in_one_line(missing: str, told: str, tmp_path: Path) -> None:
    machine = SourceMachine(tmp_path / "machine", Registry(tmp_path / "registry", TODAY, leave_out=missing))
    assert told in refused(machine.build())


@pytest.mark.parametrize("version", ["0.6.3.post1", "0.19.1", "0.33.0"])
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


def test_a_cache_that_cannot_be_written_does_not_lose_the_build(machine: SourceMachine) -> None:
    machine.play("sha256sum", "exit 1")
    assert "cannot be kept" in succeeded(machine.build())
    assert machine.version_of("vllm") == "0.32.0"
