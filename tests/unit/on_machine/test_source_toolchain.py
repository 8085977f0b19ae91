"""Which compilers a build from source takes, and what it says when there are none."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from components.on_machine.install.source.toolchain import (
    Ask,
    Nvcc,
    at_least,
    choose_nvcc,
    need_compiler,
    need_nvcc,
    rust,
    rust_line,
)
from components.on_machine.shared.paths import Places
from components.on_machine.shared.work import WorkError
from components.vllm.release.install.source_pins import pins

TODAY = pins("0.32.0")


def answers(said: Mapping[str, str]) -> Ask:
    """Programs by name or path, and what they print."""
    return lambda program, *_: said.get(str(program))


def nothing_to_be_had(package: str) -> bool:
    return False


def not_wanted(package: str) -> bool:
    raise AssertionError(f"{package} was installed")


def place(program: Path) -> Path:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.touch(mode=0o755)
    return program


@pytest.mark.parametrize(
    ("version", "oldest", "is_enough"),
    [
        ("13.3.0", "13", True),
        ("9.4.0", "11", False),
        ("12.10", "12.9", True),
        ("11.4.0", "13", False),
        ("", "9", False),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, oldest: str, is_enough: bool) -> None:
    assert at_least(version, oldest) is is_enough


def test_the_first_gcc_that_is_new_enough_is_taken_for_c_cpp_and_cuda() -> None:
    found = need_compiler(TODAY, answers({"g++": "11.4.0", "g++-13": "13.2.0", "g++-14": "14.1.0"}), not_wanted)
    assert found == {"CXX": "g++-13", "CC": "gcc-13", "CUDAHOSTCXX": "g++-13"}


@pytest.mark.parametrize(("version", "package"), [("0.32.0", "g++-13"), ("0.19.1", "g++")])
def test_a_gcc_that_is_missing_is_installed(version: str, package: str) -> None:
    there: dict[str, str] = {}

    def install(name: str) -> bool:
        there[name] = "13.2.0"
        return True

    assert need_compiler(pins(version), answers(there), install)["CXX"] == package


def test_a_gcc_that_cannot_be_had_is_missed_in_one_line() -> None:
    with pytest.raises(WorkError, match=r"needs GCC 13 or newer, and apt has no g\+\+-13: use imageFamily") as missed:
        need_compiler(TODAY, answers({"g++": "11.4.0"}), nothing_to_be_had)
    assert missed.value.code == "no-compiler"


@pytest.mark.parametrize(
    ("releases", "chosen"),
    [
        (["12.8", "13.0", "13.1"], 1),
        (["13.1", "13.2"], 1),
        (["13.9", "13.10"], 1),
        (["13.2", "13.1"], 0),
        (["13.0", "13.0"], 1),
        (["12.8", "11.8"], None),
        ([], None),
    ],
)
def test_nvcc_is_torchs_own_release_or_the_newest_of_its_major_version(releases: list[str], chosen: int | None) -> None:
    found = [Nvcc(release, Path(f"/cuda-{number}/bin/nvcc")) for number, release in enumerate(releases)]
    assert choose_nvcc(found, "13.0") == (None if chosen is None else found[chosen])


def test_nvcc_is_looked_for_in_cudas_folders_and_on_path(tmp_path: Path) -> None:
    older, fitting = (place(tmp_path / f"local/{name}/bin/nvcc") for name in ("cuda-12.8", "cuda-13.0"))
    on_path = place(tmp_path / "tools/bin/nvcc")
    said = {str(older): "12.8", str(fitting): "13.0", str(on_path): "13.1"}
    ask = answers({program: f"Cuda compilation tools, release {release}, V1" for program, release in said.items()})
    path = str(on_path.parent)
    found = need_nvcc(TODAY, path, ask, not_wanted, cuda_folders=tmp_path / "local")
    home = str(fitting.parent.parent)
    assert found == {"CUDA_HOME": home, "PATH": f"{home}/bin:{path}"}


def test_the_home_of_an_nvcc_is_where_its_link_leads(tmp_path: Path) -> None:
    program = place(tmp_path / "local/real/bin/nvcc")
    (tmp_path / "local/cuda").symlink_to("real")
    ask = answers({str(tmp_path / "local/cuda/bin/nvcc"): "release 13.0, V1"})
    found = need_nvcc(TODAY, "", ask, not_wanted, cuda_folders=tmp_path / "local")
    assert found["CUDA_HOME"] == str(program.parent.parent)


def test_an_nvcc_that_cannot_be_had_is_missed_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match=r"needs nvcc of CUDA 12, as torch 2\.10\.0 has, .* no cuda-toolkit-12-8:"):
        need_nvcc(pins("0.19.1"), "", answers({}), nothing_to_be_had, cuda_folders=tmp_path)


@pytest.mark.parametrize(
    ("found", "has_rustup", "told"),
    [
        ("", True, "rustup brings 1.95"),
        ("1.95.0", False, "Rust: 1.95.0"),
        ("1.75.0", False, "Rust: 1.75.0; without 1.95 the optional vllm-rs is left out"),
        ("", False, "Rust: none; without 1.95 the optional vllm-rs is left out"),
    ],
)
def test_what_comes_of_the_rust_that_is_there_is_told(found: str, has_rustup: bool, told: str) -> None:
    assert told in rust_line("1.95", found, has_rustup=has_rustup)


def test_rust_is_looked_for_where_rustup_puts_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cargo = place(tmp_path / ".cargo/bin/cargo")
    told = rust(Places(tmp_path), TODAY, "/nowhere", answers({str(cargo): "cargo 1.96.1 (f2d3ce0bd 2026-03-21)"}))
    assert told == {"PATH": f"{cargo.parent}:/nowhere"}
    assert capsys.readouterr().out == "Rust: 1.96.1\n"


def test_a_version_without_a_part_in_rust_does_not_look_for_any(tmp_path: Path) -> None:
    assert rust(Places(tmp_path), pins("0.19.1"), "/nowhere", answers({})) == {}
