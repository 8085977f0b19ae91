"""The install on a GPU machine, as far as it can be driven without one: the real script, with the local cloud's
accelerators for the driver, and programs that play root and the package installer."""

import platform
from pathlib import Path

import pytest

from tests.support.gpu_machine import GpuMachine

LOCK = f"cuda13-{platform.machine()}.txt"


@pytest.fixture
def machine(tmp_path: Path) -> GpuMachine:
    machine = GpuMachine(tmp_path)
    machine.accelerator("gh200-580")
    return machine


def test_the_packages_of_the_machines_own_lock_are_installed_with_their_hashes_and_nothing_else(
    machine: GpuMachine,
) -> None:
    done = machine.run("install.sh")
    assert done.returncode == 0, done.stderr
    lock = machine.base / "scripts" / LOCK
    assert f"--no-deps --no-build --require-hashes --requirement {lock}" in machine.called
    assert "sudo" not in machine.called
    assert not (machine.base / "cuda.env").exists()
    assert "198 packages, 4.0 GB" in done.stdout


def test_an_install_is_found_by_its_key_as_long_as_its_environment_is_there(machine: GpuMachine) -> None:
    (machine.base / "installs").mkdir()
    (machine.base / "installs/gone").symlink_to(machine.base / "venvs/gone")
    machine.environment["JOB_KEY"] = "this"
    done = machine.run("install.sh")
    assert done.returncode == 0, done.stderr
    assert [link.name for link in (machine.base / "installs").iterdir()] == ["this"]
    assert (machine.base / "installs/this").samefile(machine.base / "venv")


def test_the_stock_driver_gets_compatibility_libraries_without_a_reboot_and_says_so(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    done = machine.run("install.sh")
    assert done.returncode == 0, done.stderr
    assert "driver 570.148.08 is older than 580" in done.stdout
    assert "as root: apt-get install cuda-compat-13-0" in done.stdout
    assert "--force-confold install -y cuda-compat-13-0" in machine.called
    assert "VLLM_ENABLE_CUDA_COMPATIBILITY=1" in (machine.base / "cuda.env").read_text()


def test_the_environment_is_proven_with_the_compatibility_libraries(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.proves('echo "{\\"path\\": \\"$LD_LIBRARY_PATH\\"}"')
    assert machine.run("install.sh").returncode == 0
    assert machine.manifest["install"]["path"] == "/usr/local/cuda-13.0/compat"


def test_libraries_that_cannot_be_had_end_the_install_with_the_other_way(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.play("sudo", '[[ $* != *" install "* ]]')
    done = machine.run("install.sh")
    assert done.returncode != 0
    assert "set `driver: upgrade`" in done.stderr
    assert not (machine.base / "venv").exists()


def test_a_driver_that_was_renewed_needs_no_libraries_any_more(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.run("install.sh")
    machine.accelerator("gh200-580")
    assert machine.run("install.sh").returncode == 0
    assert not (machine.base / "cuda.env").exists()


@pytest.mark.parametrize(
    ("accelerator", "mode", "told"),
    [
        ("gh200-mismatch", "auto", "the driver was upgraded under the running kernel: reboot"),
        ("gh200-570", "keep", "`install: source` with vllmVersion 0.19.1"),
        ("gh200-570", "upgrade", "driver 570.148.08 after the upgrade"),
        ("gh200-560", "auto", "not 560: set `driver: upgrade`"),
    ],
)
def test_a_driver_that_cannot_do_it_is_told_before_anything_is_downloaded(
    machine: GpuMachine, accelerator: str, mode: str, told: str
) -> None:
    machine.accelerator(accelerator)
    done = machine.run("install.sh", "wheel", mode)
    assert done.returncode != 0
    assert told in done.stderr
    assert machine.called == ""


def test_what_was_installed_is_written_down(machine: GpuMachine) -> None:
    machine.run("install.sh")
    written = machine.manifest["install"]
    environment = (machine.base / "venv").resolve().name
    assert written["key"] == environment
    assert written["torch"] == "2.13.0+cu130"
    assert written["driver"] == "580.105.08"
    assert written["seconds"] >= 0


def test_a_torch_that_cannot_use_the_gpu_fails_the_install(machine: GpuMachine) -> None:
    machine.proves("echo 'error: this is a torch for CPUs' >&2; exit 1")
    done = machine.run("install.sh")
    assert done.returncode != 0
    assert "torch for CPUs" in done.stderr
    assert not (machine.base / "venv").exists()
    assert "install" not in machine.manifest
    machine.proves("echo '{}'")
    assert machine.run("install.sh").returncode == 0
    assert machine.called.count("uv pip install") == 2


def test_an_install_that_is_complete_is_not_repeated(machine: GpuMachine) -> None:
    machine.run("install.sh")
    before = machine.called
    assert machine.run("install.sh").returncode == 0
    assert machine.called == before


def test_a_changed_pin_makes_a_new_environment_and_keeps_the_one_the_server_uses(machine: GpuMachine) -> None:
    names = []
    for round_ in range(3):
        with (machine.base / "scripts" / LOCK).open("a") as lock:
            lock.write(f"# changed {round_}\n")
        assert machine.run("install.sh").returncode == 0
        names.append((machine.base / "venv").resolve().name)
    assert len(set(names)) == 3
    assert sorted(path.name for path in (machine.base / "venvs").iterdir()) == sorted(names[1:])


def test_an_environment_that_a_setting_may_be_served_from_again_is_kept(machine: GpuMachine) -> None:
    """The last good setting, while newer ones with other versions of vLLM were tried and failed."""
    machine.run("install.sh")
    served = (machine.base / "venv").resolve()
    (machine.settings / "generations/good").mkdir(parents=True)
    (machine.settings / "generations/good/venv").symlink_to(served)
    for round_ in range(2):
        with (machine.base / "scripts" / LOCK).open("a") as lock:
            lock.write(f"# changed {round_}\n")
        assert machine.run("install.sh").returncode == 0
        # What proves nothing any more, as after a driver that broke.
        (served / ".proven").unlink(missing_ok=True)
    assert served.exists()
    assert len(list((machine.base / "venvs").iterdir())) == 3


def test_a_pin_whose_install_fails_leaves_the_environment_in_use(machine: GpuMachine) -> None:
    machine.run("install.sh")
    before = (machine.base / "venv").resolve()
    with (machine.base / "scripts" / LOCK).open("a") as lock:
        lock.write("# changed\n")
    # Also one that an earlier version of these scripts has made, or that does not prove itself any more.
    (before / ".proven").unlink()
    machine.proves("exit 1")
    assert machine.run("install.sh").returncode != 0
    assert (machine.base / "venv").resolve() == before
    assert before.is_dir()


def test_an_interrupted_install_is_not_taken_for_a_complete_one(machine: GpuMachine) -> None:
    uv = next(machine.base.glob("uv-*/bin/uv"))
    whole = uv.read_text()
    uv.write_text(whole.replace("if [[", '[[ $1 != pip ]] || kill -9 "$PPID"\nif [[', 1))
    assert machine.run("install.sh").returncode != 0
    uv.write_text(whole)
    assert machine.run("install.sh").returncode == 0
    assert machine.called.count("uv venv") == 2
    assert machine.called.count("uv pip install") == 2


def test_a_second_install_waits_until_the_installer_of_a_killed_one_has_ended(machine: GpuMachine) -> None:
    uv = next(machine.base.glob("uv-*/bin/uv"))
    whole = uv.read_text()
    lasting = '[[ $1 != pip ]] || { kill -9 "$PPID"; /bin/sleep 1; echo "uv ended" >>"$HOME/called"; }\nif [['
    uv.write_text(whole.replace("if [[", lasting, 1))
    machine.run("install.sh")
    uv.unlink()
    uv.write_text(whole)
    uv.chmod(0o755)
    assert machine.run("install.sh").returncode == 0
    words = [line.split()[:2] for line in machine.called.splitlines()]
    assert words == [["uv", "venv"], ["uv", "pip"], ["uv", "ended"], ["uv", "venv"], ["uv", "pip"]]


def test_a_disk_that_cannot_hold_it_is_told_in_gigabytes(machine: GpuMachine) -> None:
    machine.play("df", "echo Avail; echo 3000")
    done = machine.run("install.sh")
    assert done.returncode != 0
    assert "error: 3.0 GB free on the machine's disk, vLLM needs 9." in done.stderr
    assert machine.called == ""


def test_what_an_earlier_attempt_brought_counts_when_the_disk_is_nearly_full(machine: GpuMachine) -> None:
    machine.play("df", "echo Avail; echo 3000")
    machine.play("du", "echo 7000 cache")
    assert machine.run("install.sh").returncode == 0


def test_progress_says_how_much_is_unpacked(machine: GpuMachine) -> None:
    # The second pause begins after the first report.
    machine.play("sleep", 'echo >>"$HOME/pauses"; exec /bin/sleep 0.2')
    uv = next(machine.base.glob("uv-*/bin/uv"))
    lasting = 'until (($(wc -l <"$HOME/pauses") > 1)); do /bin/sleep 0.1; done'
    uv.write_text(uv.read_text() + f"[[ $1 != pip ]] || {lasting}\n")
    done = machine.run("install.sh")
    assert "installing vLLM 0.32.0: 0.0 of at most 8." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("wheel", "auto", "0.30.0"), "wheels are locked for vLLM 0.32.0"),
        (("source", "keep", "0.19.1"), None),
    ],
)
def test_only_the_locked_version_is_installed_as_a_wheel(
    machine: GpuMachine, arguments: tuple[str, ...], told: str | None
) -> None:
    (machine.base / "scripts/source.sh").write_text('echo "source.sh ${*:2}" >>"$HOME/called"')
    done = machine.run("install.sh", *arguments)
    assert (done.returncode != 0) is bool(told), done.stderr
    assert (told or "") in done.stderr


@pytest.mark.parametrize(("install", "way"), [("source", "build"), ("precompiled", "precompiled")])
def test_a_build_is_given_its_environment_and_its_options(machine: GpuMachine, install: str, way: str) -> None:
    (machine.base / "scripts/source.sh").write_text('echo "source.sh $*" >>"$HOME/called"')
    done = machine.run("install.sh", install, "auto", "0.33.0", "--triton", "source")
    assert done.returncode == 0, done.stderr
    environment = (machine.base / "venv").resolve()
    assert f"source.sh {environment} 0.33.0 {way} --triton source" in machine.called
    assert environment.name.startswith(f"vllm-0.33.0-{install}-")


def test_a_build_that_was_stopped_goes_on_in_its_environment(machine: GpuMachine) -> None:
    script = machine.base / "scripts/source.sh"
    script.write_text('[[ -f $HOME/again ]] || { touch "$HOME/again"; exit 1; }')
    assert machine.run("install.sh", "source", "auto", "0.33.0").returncode != 0
    assert machine.run("install.sh", "source", "auto", "0.33.0").returncode == 0
    assert machine.called.count("uv venv") == 1


def test_a_build_on_a_machine_without_a_gpu_is_refused_in_one_line(tmp_path: Path) -> None:
    machine = GpuMachine(tmp_path)
    (machine.base / "scripts/source.sh").touch()
    done = machine.run("install.sh", "source")
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "this machine has none: use `install: wheel`" in done.stderr


def test_the_filesystems_cache_is_used_where_the_settings_name_one(machine: GpuMachine, tmp_path: Path) -> None:
    filesystem = tmp_path / "nfs"
    filesystem.mkdir()
    (machine.settings / "cache").write_text(f"{filesystem}/lambda-vllm\n")
    uv = next(machine.base.glob("uv-*/bin/uv"))
    uv.write_text(uv.read_text() + 'env | grep -E "^(UV|HF|VLLM|TRITON)_" | sort >"$HOME/environment"\n')
    assert machine.run("install.sh").returncode == 0
    environment = (machine.home / "environment").read_text().replace(str(filesystem), "")
    programs = f"/lambda-vllm/programs/vllm-0.32.0-{platform.machine()}-9.0"
    for line in (
        "HF_HOME=/lambda-vllm/huggingface",
        f"TRITON_CACHE_DIR={programs}/triton",
        "UV_CACHE_DIR=/lambda-vllm/uv",
        "UV_LINK_MODE=copy",
        f"VLLM_CACHE_ROOT={programs}/vllm",
    ):
        assert f"{line}\n" in environment


def test_a_cache_on_a_filesystem_that_is_not_there_is_one_clear_error(machine: GpuMachine, tmp_path: Path) -> None:
    (machine.settings / "cache").write_text(f"{tmp_path}/nowhere/lambda-vllm\n")
    done = machine.run("install.sh")
    assert done.returncode != 0
    assert done.stderr == (
        f"error: the cache folder {tmp_path}/nowhere/lambda-vllm is missing or cannot be written: is the filesystem "
        "attached to this machine?\n"
    )


@pytest.mark.parametrize(("cores", "compiled"), [(64, True), (2, False)])
def test_a_machine_with_many_cores_compiles_bytecode_that_its_first_start_would_wait_for(
    machine: GpuMachine, cores: int, compiled: bool
) -> None:
    machine.accelerator("gh200-580")
    machine.play("nproc", f"echo {cores}")
    done = machine.run("install.sh")
    assert done.returncode == 0, done.stderr
    assert ("--compile-bytecode" in machine.called) is compiled
