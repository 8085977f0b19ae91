"""What is installed, and the name of its environment: by its pins, and by nothing else."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from components.on_machine.install import choose as choosing
from components.on_machine.install.choose import Choice, build_hash, choose
from components.on_machine.install.request import Request, parse
from components.on_machine.shared.work import WorkError
from components.vllm.release.install.source_pins import BUILD_REVISION, Pins, RefusedError, pins
from components.vllm.release.install.versions import TARGETS, Versions, lock_file

WHEEL = Request("wheel", "auto", "pinned")
SOURCE = Request("source", "auto", "0.19.1")
TWO_VERSIONS = {"cpu": Versions("0.32.0", "2.13.0"), "cuda13": Versions("0.33.0", "2.14.0")}


def chosen(request: Request, target: str = "cuda") -> Choice:
    return choose(request, target, "aarch64")


@pytest.fixture
def two_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPUs and CPUs at different versions of vLLM."""
    for name, versions in TWO_VERSIONS.items():
        monkeypatch.setitem(TARGETS, name, versions)


def test_a_machine_gets_the_lock_of_what_it_computes_with() -> None:
    gpu, cpu = chosen(WHEEL), chosen(WHEEL, "cpu")
    assert gpu.lock and gpu.lock.file == lock_file("cuda13", "aarch64")
    assert cpu.lock and cpu.lock.file == lock_file("cpu", "aarch64")
    assert gpu.name.startswith(f"vllm-{TARGETS['cuda13'].vllm}-cuda-")
    assert cpu.name.startswith(f"vllm-{TARGETS['cpu'].vllm}-cpu-")


def test_the_pinned_version_is_that_of_the_machines_target(two_versions: None) -> None:
    gpu, cpu = chosen(WHEEL), chosen(WHEEL, "cpu")
    assert (gpu.version, gpu.lock and gpu.lock.torch) == ("0.33.0", "2.14.0")
    assert (cpu.version, cpu.lock and cpu.lock.torch) == ("0.32.0", "2.13.0")
    assert chosen(replace(SOURCE, version="pinned")).version == "0.33.0"


def test_only_the_locked_version_of_the_target_is_installed_as_a_wheel(two_versions: None) -> None:
    assert chosen(replace(WHEEL, version="0.33.0")).version == "0.33.0"
    with pytest.raises(WorkError, match=r"wheels are locked for vLLM 0\.33\.0: leave vllmVersion out, or use `install"):
        chosen(replace(WHEEL, version="0.32.0"))
    with pytest.raises(WorkError, match=r"wheels are locked for vLLM 0\.32\.0") as refused:
        chosen(replace(WHEEL, version="0.33.0"), "cpu")
    assert refused.value.code == "version-not-locked"


def test_an_architecture_without_a_lock_is_told() -> None:
    with pytest.raises(WorkError, match="there is no lock for cuda on riscv64"):
        choose(WHEEL, "cuda", "riscv64")


def test_a_build_on_a_machine_without_a_gpu_is_refused() -> None:
    for install in ("source", "precompiled"):
        with pytest.raises(WorkError, match=f"`install: {install}` builds for a GPU, and this machine has none"):
            chosen(replace(SOURCE, install=install), "cpu")


def test_a_build_of_a_version_that_is_not_pinned_is_refused_before_anything_is_made() -> None:
    with pytest.raises(WorkError, match=r"vLLM 0\.18\.0 is not pinned for a build from source"):
        chosen(replace(SOURCE, version="0.18.0"))


def test_an_environment_that_is_built_is_named_by_its_version_its_way_and_its_options() -> None:
    names = {
        chosen(request).name
        for request in (
            SOURCE,
            replace(SOURCE, install="precompiled"),
            replace(SOURCE, version="0.32.0"),
            replace(SOURCE, triton=True),
        )
    }
    assert len(names) == 4
    assert all(re.fullmatch(r"vllm-0\.(19\.1|32\.0)-(source|precompiled)-[0-9a-f]{12}", name) for name in names)
    # How many compile at once, and how it came to this driver, changes nothing of what is built.
    assert chosen(replace(SOURCE, jobs=7, driver="keep", environment_key="key")).name == chosen(SOURCE).name


def test_a_changed_pin_of_a_version_makes_another_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before, other = build_hash("0.19.1", triton=False), build_hash("0.32.0", triton=False)

    def changed(version: str) -> Pins:
        known = pins(version)
        return replace(known, torch="2.10.1") if version == "0.19.1" else known

    monkeypatch.setattr(choosing, "pins", changed)
    assert build_hash("0.19.1", triton=False) != before
    assert build_hash("0.32.0", triton=False) == other


def test_another_way_to_build_makes_another_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = build_hash("0.19.1", triton=False)
    monkeypatch.setattr(choosing, "BUILD_REVISION", BUILD_REVISION + 1)
    assert build_hash("0.19.1", triton=False) != before


def test_the_pins_refuse_as_the_install_tells() -> None:
    with pytest.raises(RefusedError) as refused:
        pins("0.18.0")
    with pytest.raises(WorkError) as told:
        build_hash("0.18.0", triton=False)
    assert str(told.value) == str(refused.value)


def test_without_words_the_pinned_wheel_is_installed_and_no_link_is_made() -> None:
    assert parse([]) == Request("wheel", "auto", "pinned", triton=False, jobs=None, environment_key="")


def test_the_words_of_the_program_are_read() -> None:
    words = ["source", "keep", "0.19.1", "--triton", "--jobs", "7", "--environment-key", "abc"]
    assert parse(words) == Request("source", "keep", "0.19.1", triton=True, jobs=7, environment_key="abc")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["wheels"], "wheels"),
        (["source", "auto", "pinned", "--jobs", "0"], "0 is not the number of compilers at once, which is 1 or more"),
        (["source", "auto", "pinned", "--jobs", "many"], "many is not the number of compilers at once"),
        (["source", "auto", "pinned", "more"], "unrecognized arguments: more"),
    ],
)
def test_wrong_words_are_told_in_one_line(words: list[str], told: str) -> None:
    with pytest.raises(WorkError) as refused:
        parse(words)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_lock_tells_how_large_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lock.txt"
    file.write_text("# vLLM\n# packages=2 download_mb=30 installed_mb=400\n")
    monkeypatch.setattr(choosing, "lock_file", lambda *_: file)
    choice = chosen(WHEEL)
    assert choice.lock
    assert (choice.lock.packages, choice.lock.download_mb, choice.needed_mb) == (2, 30, 400)
    file.write_text(file.read_text() + "# another\n")
    assert chosen(WHEEL).name != choice.name
