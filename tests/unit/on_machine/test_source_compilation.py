"""What a build from source is told, says of its progress, and says when it fails."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from components.on_machine.install.source.__main__ import main
from components.on_machine.install.source.clone import layout_of, triton_folder
from components.on_machine.install.source.compilation import (
    build_variables,
    failure,
    jobs_of_machine,
    progress,
    telling,
)
from components.on_machine.install.source.plan import BUILD, PRECOMPILED, Plan, pins_of
from components.on_machine.install.source.pytorch import check_cuda
from components.on_machine.shared.work import WorkError
from components.vllm.release.install import source_pins
from components.vllm.release.install.source_pins import pins

LOG = Path("/home/ubuntu/source.log")
PLAN = Plan(pins("0.32.0"), BUILD, triton=False, capabilities="9.0", python="3.12", architecture="aarch64")


def test_all_that_makes_another_wheel_makes_another_name_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [
        PLAN,
        replace(PLAN, pins=pins("0.33.0")),
        replace(PLAN, pins=replace(PLAN.pins, torch="2.13.1")),
        replace(PLAN, pins=replace(PLAN.pins, cuda="13.1")),
        replace(PLAN, way=PRECOMPILED),
        replace(PLAN, triton=True),
        replace(PLAN, capabilities="8.0;9.0"),
        replace(PLAN, python="3.13"),
        replace(PLAN, architecture="x86_64"),
    ]
    keys = {plan.key for plan in plans}
    monkeypatch.setattr("components.on_machine.install.source.plan.BUILD_REVISION", source_pins.BUILD_REVISION + 1)
    keys.add(PLAN.key)
    assert len(keys) == len(plans) + 1
    assert not any(set(key) & set("/; ") for key in keys)


def test_what_is_not_pinned_or_was_never_precompiled_is_refused() -> None:
    with pytest.raises(WorkError, match=r"vLLM 0\.18\.0 is not pinned") as unknown:
        pins_of("0.18.0", BUILD)
    assert unknown.value.code == "version-not-pinned"
    assert pins_of("0.6.3.post1", BUILD).torch == "2.4.0"
    with pytest.raises(WorkError, match=r"vLLM 0\.6\.3\.post1 has no wheel for aarch64"):
        pins_of("0.6.3.post1", PRECOMPILED)


@pytest.mark.parametrize("words", [["venv"], ["venv", "0.32.0", "wheel"], ["venv", "0.32.0", "build", "--jobs", "0"]])
def test_words_that_are_none_are_refused_with_those_that_are(words: list[str]) -> None:
    with pytest.raises(WorkError, match=r"\[--triton\] \[--jobs JOBS\] venv version \{build,precompiled\}"):
        main(words)


@pytest.mark.parametrize(("cuda", "code"), [("", "torch-for-cpus"), ("12.8", "torch-for-another-cuda")])
def test_a_torch_that_vllm_does_not_go_with_is_refused(cuda: str, code: str) -> None:
    with pytest.raises(WorkError) as refused:
        check_cuda(PLAN.pins, cuda)
    assert refused.value.code == code
    check_cuda(PLAN.pins, "13.2")


def test_jobs_follow_from_the_memory_that_the_machine_has(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:        4194304 kB\nMemFree:          100 kB\n")
    assert jobs_of_machine(meminfo) == 1
    meminfo.write_text(f"MemFree: 1 kB\nMemTotal: {2**40} kB\n")
    assert jobs_of_machine(meminfo) == len(os.sched_getaffinity(0))
    meminfo.write_text("")
    with pytest.raises(WorkError, match="buildJobs"):
        jobs_of_machine(meminfo)


def test_the_build_is_told_gpu_and_jobs_and_fetches_on_the_machines_own_disk(tmp_path: Path) -> None:
    told = build_variables(PLAN, 7, tmp_path / "work", tmp_path / "kept", str(tmp_path))
    assert told == {
        "MAX_JOBS": "7",
        "NVCC_THREADS": "2",
        "TORCH_CUDA_ARCH_LIST": "9.0",
        "FETCHCONTENT_BASE_DIR": str(tmp_path / "work/fetched"),
    }
    (tmp_path / "ccache").touch(mode=0o755)
    told = build_variables(PLAN, 7, tmp_path / "work", tmp_path / "kept", str(tmp_path))
    assert (told["CCACHE_DIR"], told["CCACHE_NOHASHDIR"]) == (str(tmp_path / "kept/ccache"), "true")


def test_progress_is_ninjas_last_step_and_the_time() -> None:
    assert progress("vLLM", ["-- configuring\n"], 20) == "building vLLM: 20 s"
    log = ["[1/317] Building a\n", "[2/317] Building b\n", "warning: of [3/317]\n"]
    assert progress("vLLM", log, 30) == "building vLLM: step 2 of 317, 30 s"


def test_the_lines_of_a_failed_build_that_tell_are_few_and_short() -> None:
    log = [
        "FAILED: first",
        *(f"error {number}" for number in range(19)),
        "-- fine",
        "ninja: build stopped: " + "x" * 500,
    ]
    told = telling(log)
    assert len(told) == 20
    assert told[0] == "error 0"
    assert told[-1].startswith("ninja: build stopped")
    assert len(told[-1]) == 400


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        (
            "g++: fatal error: Killed signal terminated program cc1plus",
            "memory-ran-out",
            "set `buildJobs` to 12 or less",
        ),
        ("nvcc error: 'cicc' died due to signal 9", "memory-ran-out", "with 24 jobs"),
        ("cc1plus: Cannot allocate memory", "memory-ran-out", "a compiler was killed because memory ran out"),
        ("error: No space left on device", "disk-full", "a build needs 40 GiB"),
        ("FAILED: a.cu.o", "not-built", f"vLLM cannot be built; all that the build said is in {LOG}"),
    ],
)
def test_why_a_build_failed_is_told_with_what_to_do(line: str, code: str, told: str) -> None:
    error = failure("vLLM", ["[1/2] Building", line, ""], 24, LOG)
    assert error.code == code
    assert told in str(error)


@pytest.mark.parametrize(("jobs", "fewer"), [(24, 12), (3, 2), (1, 1)])
def test_half_of_the_jobs_is_what_to_try_next(jobs: int, fewer: int) -> None:
    assert f"`buildJobs` to {fewer} or less" in str(failure("vLLM", ["Killed"], jobs, LOG))


def test_files_are_found_where_any_version_had_them(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match="use_existing_torch"):
        layout_of(tmp_path, "0.32.0")
    (tmp_path / "use_existing_torch.py").touch()
    with pytest.raises(WorkError, match=r"none of requirements-build\.txt, requirements/build\.txt and "):
        layout_of(tmp_path, "0.32.0")
    (tmp_path / "requirements/build").mkdir(parents=True)
    (tmp_path / "requirements/build/cuda.txt").touch()
    layout = layout_of(tmp_path, "0.32.0")
    assert (layout.strip, layout.requirements) == ("use_existing_torch.py", "requirements/build/cuda.txt")


def test_triton_is_packaged_at_its_root_or_below_python(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "python/setup.py").touch()
    assert triton_folder(tmp_path) == tmp_path / "python"
    (tmp_path / "setup.py").touch()
    assert triton_folder(tmp_path) == tmp_path
