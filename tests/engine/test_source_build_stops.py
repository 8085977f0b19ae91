"""What stops a build of vLLM from source, what is told then, and how a build that was cut ends all the same."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.support.polling import until
from tests.support.source_machine import Registry, SourceMachine, refused, succeeded
from tests.support.vllm_repositories import LAYOUTS

TODAY = LAYOUTS["0.32.0"]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry", TODAY)


@pytest.fixture
def machine(tmp_path: Path, registry: Registry) -> SourceMachine:
    return SourceMachine(tmp_path / "machine", registry, tmp_path / "cache")


def test_jobs_that_are_no_number_are_refused(machine: SourceMachine) -> None:
    assert "many is not the number of compilers at once" in refused(machine.build("build", "--jobs", "many"))


def test_a_torch_for_cpus_stops_before_anything_is_cloned_or_built(tmp_path: Path) -> None:
    machine = SourceMachine(tmp_path / "machine", Registry(tmp_path / "registry", TODAY, cuda=None))
    machine.without("git")
    assert "torch 2.13.0 is one for CPUs" in refused(machine.build())
    assert "git was run" not in machine.called
    assert machine.version_of("vllm") == ""


def test_a_torch_for_another_cuda_stops_the_build(tmp_path: Path) -> None:
    machine = SourceMachine(tmp_path / "machine", Registry(tmp_path / "registry", TODAY, cuda="12.8"))
    assert "torch 2.13.0 is one for CUDA 12.8, while vLLM 0.32.0 needs CUDA 13.0" in refused(machine.build())


def test_killed_while_it_compiles_and_run_again_it_ends_well(machine: SourceMachine) -> None:
    machine.play("stand-in-compiler", 'touch "$HOME/compiling"; sleep 600')
    started = machine.start()
    until((machine.home / "compiling").exists)
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()
    assert not list(machine.cache.glob("wheels/v*"))
    machine.play("stand-in-compiler", "exit 0")
    assert "cloning vLLM" not in succeeded(machine.build())
    assert machine.version_of("vllm") == "0.32.0"


def test_a_clone_that_was_cut_is_thrown_away(machine: SourceMachine) -> None:
    machine.play("git", 'mkdir -p "${!#}/.git"; touch "$HOME/cloning"; sleep 600')
    started = machine.start()
    until((machine.home / "cloning").exists)
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
    until((machine.home / "compiling").exists)
    second = machine.start()
    assert second.stdout is not None
    assert "waiting for another build" in second.stdout.readline()
    (machine.home / "go").touch()
    out, err = first.communicate(timeout=240)
    assert first.returncode == 0, out + err
    out, err = second.communicate(timeout=240)
    assert second.returncode == 0, out + err
    assert "vLLM 0.32.0, built from source, is installed" in out


def test_a_compiler_that_outlived_its_script_is_waited_for(machine: SourceMachine) -> None:
    machine.play("stand-in-compiler", 'touch "$HOME/compiling"; until [[ -e $HOME/go ]]; do sleep 0.1; done')
    first = machine.start()
    until((machine.home / "compiling").exists)
    first.kill()
    first.communicate()
    second = machine.start()
    assert second.stdout is not None
    assert "waiting for another build" in second.stdout.readline()
    (machine.home / "go").touch()
    out, err = second.communicate(timeout=240)
    assert second.returncode == 0, out + err
    assert machine.version_of("vllm") == "0.32.0"


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
    done = machine.build("build", "--jobs", "24")
    assert "memory ran out, with 24 jobs: set `buildJobs` to 12 or less" in refused(done)


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


def test_a_cache_that_cannot_be_written_does_not_lose_the_build(machine: SourceMachine) -> None:
    wheels = machine.cache / "wheels"
    machine.play("stand-in-compiler", f'rm -rf "{wheels}"; touch "{wheels}"')
    assert "cannot be kept" in succeeded(machine.build())
    assert machine.version_of("vllm") == "0.32.0"


@pytest.mark.parametrize(
    "step", ["installing torch", "cloning vLLM", "using the installed torch", "building vLLM", "installing vLLM"]
)
def test_killed_in_any_step_and_run_again_it_ends_well(step: str, machine: SourceMachine) -> None:
    started = machine.start()
    assert started.stdout is not None
    assert any(line.startswith(step) for line in started.stdout)
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()
    succeeded(machine.build())
    assert machine.version_of("vllm") == "0.32.0"
    assert machine.recorded["tag"] == "v0.32.0"
