"""The weights come whole and checked, whatever the hub, the disk or a kill does; what is here is not fetched again."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.vllm.programs import PACKAGE
from localcloud.machines.small_disk import can_mount
from tests.support.download_machine import MODEL, WEIGHTS, Machine, kill
from tests.support.local_cloud import LocalCloud
from tests.support.polling import until


@pytest.fixture
def machine(tmp_path: Path, cloud: LocalCloud) -> Iterator[Machine]:
    made = Machine(tmp_path / "home", cloud)
    yield made
    made.kill_all()


def test_the_weights_are_all_there_and_written_down_and_a_second_run_asks_the_hub_nothing(machine: Machine) -> None:
    status, said = machine.run()
    assert status == 0, said
    assert machine.fetched() == Counter(list(machine.wanted))
    assert machine.is_right()
    written = machine.manifest()
    facts = {
        "model": MODEL,
        "commit": machine.info["sha"],
        "bytes": machine.bytes,
        "files": len(machine.wanted),
    }
    assert {name: written[name] for name in facts} == machine.result().facts == facts
    assert "is downloaded and checked" in said
    machine.forget_requests()
    status, said = machine.run(key="2")
    assert (status, machine.requests()) == (0, [])
    assert "is here and checked" in said
    assert machine.manifest() == written
    assert machine.result("2").facts == facts


@pytest.mark.parametrize(
    ("operation", "kind", "times", "seconds"),
    [
        ("hub", "hub-cut", 2, None),
        ("hub", "hub-429", 1, 1),
        ("hub-file", "hub-cut", 2, None),
        ("hub-file", "hub-429", 1, 1),
        ("hub-file", "hub-500", 2, None),
        ("hub-file", "hub-503", 1, None),
        ("hub-file", "hub-truncated", 2, None),
        ("hub-file", "hub-slow", 2, 2),
    ],
)
def test_what_passes_is_waited_out_within_one_run_and_costs_only_the_files_it_struck(
    machine: Machine, operation: str, kind: str, times: int, seconds: float | None
) -> None:
    machine.cloud.fault(operation, kind, times, seconds)
    status, said = machine.run()
    assert status == 0, said
    assert machine.is_right()
    assert sum(machine.fetched().values()) <= len(machine.wanted) + times


def test_a_wrong_file_is_found_by_its_hash_and_fetched_once_more(machine: Machine) -> None:
    machine.cloud.fault("hub-file", "hub-wrong-bytes")
    status, said = machine.run()
    assert status == 0, said
    (again,) = [path for path, times in machine.fetched().items() if times == 2]
    assert f"{again} does not have the hash that the hub names" in said
    assert sum(machine.fetched().values()) == len(machine.wanted) + 1
    assert machine.is_right()


def test_a_file_that_is_wrong_twice_is_named_and_kept_by_no_cache(machine: Machine) -> None:
    machine.cloud.control("POST", "/faults", {"operation": "hub-file", "kind": "hub-wrong-bytes", "probability": 1})
    status, said = machine.run()
    assert status == 1
    assert "model-00001-of-00002.safetensors" in said.splitlines()[-1]
    assert "twice not what the hub says" in said.splitlines()[-1]
    assert machine.error().code == "weights-hash-mismatch"
    assert machine.here() == set()
    machine.cloud.control("DELETE", "/faults")
    assert machine.run()[0] == 0
    assert machine.is_right()


@pytest.mark.parametrize(
    ("kind", "code", "told"),
    [("hub-401", "token-refused", "set hfToken or HF_TOKEN anew"), ("hub-403", "gated", "licence")],
)
def test_a_token_revoked_in_between_ends_it_at_once_and_the_next_run_fetches_the_rest(
    machine: Machine, kind: str, code: str, told: str
) -> None:
    machine.cloud.fault("hub-file", kind)
    status, said = machine.run()
    assert status == 1
    assert told in said.splitlines()[-1]
    assert "trying again" not in said
    assert machine.error().code == code
    left = set(machine.wanted) - machine.here()
    assert left
    machine.forget_requests()
    status, said = machine.run()
    assert status == 0, said
    assert machine.fetched() == Counter(list(left))
    assert machine.is_right()


def test_a_token_without_the_licence_is_told_so(machine: Machine) -> None:
    machine.write_token(machine.cloud.hf_token_without_access)
    status, said = machine.run()
    assert status == 1
    assert "accept the licence" in said.splitlines()[-1]
    machine.write_token(machine.cloud.hf_token)
    assert machine.run()[0] == 0


def test_a_registry_that_is_down_is_told_by_what_uv_wrote(machine: Machine) -> None:
    machine.uv.unlink()
    machine.uv.write_text(
        "#!/bin/sh\necho 'error: Request failed after 3 retries in 8.6s' >&2\n"
        "echo '  cause: Failed to fetch: http://registry/simple/huggingface-hub/' >&2\nexit 2\n"
    )
    machine.uv.chmod(0o755)
    status, said = machine.run()
    assert status == 1
    assert said.splitlines()[-1].startswith("download failed: a download failed, its server or the network is down")
    assert machine.error().code == "network-down"


def begun_slowly(machine: Machine, seconds: float) -> "subprocess.Popen[str]":
    """A download that is in the midst of a file."""
    machine.cloud.control(
        "POST", "/faults", {"operation": "hub-file", "kind": "hub-slow", "probability": 1, "seconds": seconds}
    )
    asked = machine.start()
    until(lambda: machine.parts() or asked.poll() is not None)
    assert asked.poll() is None
    return asked


def test_after_a_crash_of_the_machine_the_rest_is_fetched_and_no_half_file_stays(machine: Machine) -> None:
    with begun_slowly(machine, 120):
        machine.kill_all()
    assert machine.parts()
    machine.cloud.control("DELETE", "/faults")
    machine.forget_requests()
    left = set(machine.wanted) - machine.here()
    status, said = machine.run()
    assert status == 0, said
    assert set(machine.fetched()) == left
    assert machine.parts() == []
    assert machine.is_right()


def test_two_never_write_to_the_same_files_when_only_the_job_was_killed(machine: Machine) -> None:
    with begun_slowly(machine, 4) as asked:
        jobs = [*machine.processes(f"{PACKAGE}.jobs.runner "), *machine.processes(f"-m {WEIGHTS} ")]
        assert len(jobs) == 2 and asked.pid not in [process.pid for process in jobs]
        kill(jobs)
    left = machine.processes(f"{WEIGHTS}.fetch ")
    assert left
    for process in left:
        process.suspend()
    machine.cloud.control("DELETE", "/faults")
    with machine.start() as again:
        assert again.stderr
        waiting = next(line for line in again.stderr if "an earlier download" in line)
        assert waiting == "an earlier download is still under way: waiting for its end\n"
        for process in left:
            process.resume()
        _, said = again.communicate(timeout=200)
    assert again.returncode == 0, said
    assert set(machine.fetched().values()) == {1}
    assert machine.is_right()


def test_the_token_is_in_no_command_line_no_environment_and_no_log(machine: Machine) -> None:
    with begun_slowly(machine, 4) as asked:
        seen = str([process.info for process in machine.processes()])
        output, errors = asked.communicate(timeout=200)
    assert asked.returncode == 0
    assert WEIGHTS in seen and f"{WEIGHTS}.fetch" in seen
    logs = "".join(log.read_text() for log in machine.places.jobs.rglob("*") if log.is_file())
    assert MODEL in logs + output
    assert machine.cloud.hf_token not in seen + output + errors + logs


def test_a_file_that_changed_on_the_disk_is_fetched_again_and_nothing_else(machine: Machine) -> None:
    assert machine.run()[0] == 0
    machine.forget_requests()
    with (machine.snapshot / "config.json").open("a") as file:
        file.write(" ")
    status, said = machine.run(key="2")
    assert status == 0, said
    assert machine.fetched() == Counter(["config.json"])
    assert machine.is_right()


@pytest.fixture
def small_disk(machine: Machine) -> Iterator[Path]:
    """The cache on a disk of its own, whose limits a test may change."""
    machine.cache.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "cache", machine.cache], check=True)
    yield machine.cache
    machine.kill_all()
    subprocess.run(["umount", "--lazy", machine.cache], check=True)


def change_disk(disk: Path, limits: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{limits}", disk], check=True)


@pytest.mark.skipif(not can_mount(), reason="only root may mount")
def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(machine: Machine, small_disk: Path) -> None:
    status, said = machine.run()
    assert status == 1
    assert "67.1 MB free on the disk" in said.splitlines()[-1]
    assert machine.error().code == "disk-too-small"
    assert machine.requests() == []
    change_disk(small_disk, "size=2g")
    assert machine.run()[0] == 0


@pytest.mark.skipif(not can_mount(), reason="only root may mount")
def test_a_disk_that_fills_up_meanwhile_costs_only_what_did_not_fit(machine: Machine, small_disk: Path) -> None:
    # Files are counted too, so that the test needs no gigabytes.
    change_disk(small_disk, "size=2g,nr_inodes=24")
    status, said = machine.run()
    assert status == 1
    assert "disk is full" in said.splitlines()[-1]
    assert machine.error().code == "disk-full"
    change_disk(small_disk, "nr_inodes=10000")
    left = set(machine.wanted) - machine.here()
    assert len(left) < len(machine.wanted)
    machine.forget_requests()
    status, said = machine.run()
    assert status == 0, said
    assert set(machine.fetched()) == left
    assert machine.is_right()
