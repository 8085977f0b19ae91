"""Long work on a machine outlives the connection that asked for it, and is done once."""

import fcntl
import json
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from components.on_machine.jobs.job import Result
from components.vllm.programs import PACKAGE
from tests.support.machine_release import lay_release
from tests.support.polling import until

SHELL = "import os, sys; os.chdir(os.path.expanduser('~')); os.execvp('bash', ['bash', '-c', sys.argv[1]])"


class Machine:
    """A home directory with the programs, in which jobs run: their work is a command of the shell."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._release = lay_release(home)
        (self._release / "components/on_machine/shell.py").write_text(SHELL)

    def start(self, command: str, key: str = "1", *options: str) -> "subprocess.Popen[str]":
        """Ask for a job named `work`, and go on; the asking process leads a session of its own, as SSH's does."""
        return subprocess.Popen(
            ["python3", "-m", f"{PACKAGE}.jobs", *options, "work", key, "shell", command],
            env={**os.environ, "HOME": str(self.home)},
            cwd=self._release,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str, key: str = "1", *options: str) -> tuple[int, str, str]:
        """Ask for a job and follow it to its end: exit status, what the user is shown, what the program is told."""
        with self.start(command, key, *options) as asked:
            told, shown = asked.communicate(timeout=60)
        return asked.returncode, shown, told

    def count(self, file: str) -> int:
        """How many lines a file in the home has."""
        path = self.home / file
        return len(path.read_text().splitlines()) if path.exists() else 0

    def wait_for(self, file: str) -> None:
        """Wait until the job has written a file."""
        until(lambda: self.count(file))


def is_at_the_door(asked: "subprocess.Popen[str]") -> bool:
    """Whether a call waits for its turn to look whether there is work to do."""
    return any("->" in line and f" {asked.pid} " in line for line in Path("/proc/locks").read_text().splitlines())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    yield Machine(tmp_path)
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("HOME") == str(tmp_path):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def test_a_job_shows_its_progress_and_how_long_it_took(machine: Machine) -> None:
    status, output, _ = machine.run("echo one; echo noise >&2; echo two")
    assert status == 0
    # A second may begin meanwhile.
    assert re.fullmatch(r"one\ntwo\nwork: done in [0-9]+ s\n", output)


def test_a_job_that_succeeded_tells_the_program_so_in_one_line(machine: Machine) -> None:
    _, _, told = machine.run("echo one")
    (line,) = told.splitlines()
    result = Result.from_json(line)
    assert (result.job, result.key, result.status, result.error) == ("work", "1", "succeeded", None)
    assert machine.run("echo one")[2] == told


def test_a_job_that_failed_leaves_why_as_a_code_and_a_line(machine: Machine) -> None:
    assert machine.run("echo 'error: there is no way' >&2; exit 1")[2] == ""
    written = machine.home / ".local/share/lambda-vllm/jobs/work-1/result.json"
    result = Result.from_json(written.read_text())
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.message.startswith("work failed: there is no way (whole log on the machine: ")
    assert result.error.code
    assert Path(result.error.log).read_text() == "error: there is no way\n"


def test_work_that_is_done_is_not_done_again(machine: Machine) -> None:
    machine.run("echo ran >> ran")
    status, output, _ = machine.run("echo ran >> ran")
    assert (status, machine.count("ran")) == (0, 1)
    assert "before this run" in output


def test_work_is_done_again_when_other_work_of_its_name_came_between(machine: Machine) -> None:
    """Going back to an earlier vLLM, for example: the later install has put its own in place."""
    for key in ("1", "2", "1"):
        machine.run(f"echo {key} >> ran", key)
    assert (machine.home / "ran").read_text().split() == ["1", "2", "1"]
    assert "before this run" in machine.run("echo 1 >> ran")[1]


def test_work_that_failed_came_between_too(machine: Machine) -> None:
    machine.run("echo ran >> ran", "1")
    machine.run("exit 1", "2")
    machine.run("echo ran >> ran", "1")
    assert machine.count("ran") == 2


def test_who_asks_for_work_again_gets_it_though_it_succeeded(machine: Machine) -> None:
    machine.run("echo ran >> ran")
    status, output, _ = machine.run("echo ran >> ran", "1", "--again")
    assert (status, machine.count("ran")) == (0, 2)
    assert "before this run" not in output


def test_who_asks_for_work_again_while_it_is_under_way_follows_it(machine: Machine) -> None:
    command = "echo begun >> begun; while [ ! -e go ]; do sleep 0.1; done; echo finished"
    with machine.start(command, "1", "--again") as first:
        machine.wait_for("begun")
        with machine.start(command, "1", "--again") as second:
            assert second.stderr is not None
            assert "under way" in second.stderr.readline()
            (machine.home / "go").touch()
            assert "finished" in second.communicate(timeout=60)[1]
        assert "finished" in first.communicate(timeout=60)[1]
    assert machine.count("begun") == 1


def test_two_jobs_of_one_name_take_turns_since_they_work_on_the_same_files(machine: Machine) -> None:
    command = "echo in >> order; sleep 0.5; echo out >> order"
    with machine.start(command, key="1") as one, machine.start(command, key="2") as other:
        one.communicate(timeout=60)
        other.communicate(timeout=60)
    assert (machine.home / "order").read_text().split() == ["in", "out", "in", "out"]


def test_a_second_failure_is_explained_by_its_own_log(machine: Machine) -> None:
    machine.run("echo 'No space left on device' >&2; exit 1")
    _, errors, _ = machine.run("echo 'error: something else' >&2; exit 1")
    assert "something else" in errors


def test_the_end_of_patience_says_that_the_work_goes_on(machine: Machine) -> None:
    with machine.start("echo begun >> begun; while [ ! -e go ]; do sleep 0.1; done") as asked:
        machine.wait_for("begun")
        asked.terminate()
        _, errors = asked.communicate(timeout=60)
    (machine.home / "go").touch()
    assert asked.returncode == 124
    assert "still under way" in errors


def test_other_work_is_another_job(machine: Machine) -> None:
    machine.run("echo ran >> ran", key="1")
    machine.run("echo ran >> ran", key="2")
    assert machine.count("ran") == 2


def test_a_failure_is_one_line_with_the_cause_and_the_log_and_is_tried_again(machine: Machine) -> None:
    command = "echo ran >> ran; echo 'OSError: No space left on device' >&2; exit 3"
    status, errors, _ = machine.run(command)
    assert status == 1
    (line,) = errors.splitlines()
    assert line.startswith("work failed: the machine's disk is full: choose ")
    assert "(whole log on the machine: " in line
    machine.run(command)
    assert machine.count("ran") == 2


def test_a_lost_connection_loses_nothing_and_the_next_call_goes_on_following(machine: Machine) -> None:
    command = "echo begun >> begun; while [ ! -e go ]; do sleep 0.1; done; echo finished"
    with machine.start(command) as first:
        machine.wait_for("begun")
        os.killpg(first.pid, signal.SIGKILL)
    with machine.start(command) as second:
        assert second.stderr is not None
        assert "under way" in second.stderr.readline()
        (machine.home / "go").touch()
        _, output = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "finished" in output
    assert machine.count("begun") == 1


def test_two_calls_at_once_are_one_job(machine: Machine) -> None:
    command = "echo begun >> begun; while [ ! -e go ]; do sleep 0.1; done; echo finished"
    with machine.start(command) as one, machine.start(command) as other:
        machine.wait_for("begun")
        # Who follows says so at once, and who has started it says nothing yet.
        (follows,) = select.select(list(filter(None, (one.stderr, other.stderr))), [], [], 20)[0]
        assert "under way" in follows.readline()
        (machine.home / "go").touch()
        outputs = [process.communicate(timeout=60)[1] for process in (one, other)]
    assert all("finished" in output for output in outputs)
    assert machine.count("begun") == 1


def test_work_that_ends_while_a_second_call_waits_is_not_done_again(machine: Machine) -> None:
    command = "echo ran >> ran"
    door = machine.home / ".local/share/lambda-vllm/jobs/work-1/door"
    door.parent.mkdir(parents=True)
    with door.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with machine.start(command) as one, machine.start(command) as other:
            until(lambda: is_at_the_door(one) and is_at_the_door(other))
            fcntl.flock(stream, fcntl.LOCK_UN)
            outputs = [process.communicate(timeout=60)[1] for process in (one, other)]
    assert all("work: done in" in output for output in outputs)
    assert machine.count("ran") == 1


def test_a_job_that_was_killed_is_started_again(machine: Machine) -> None:
    command = "echo $$ > pid; echo begun >> begun; [ -e go ] || sleep 60"
    with machine.start(command) as first:
        machine.wait_for("begun")
        job = psutil.Process(int((machine.home / "pid").read_text()))
        runner = job.parent()
        assert runner is not None
        runner.kill()
        job.kill()
        first.communicate(timeout=60)
    assert first.returncode == 1
    (machine.home / "go").touch()
    assert machine.run(command)[0] == 0
    assert machine.count("begun") == 2


def test_a_line_that_would_hang_the_reader_is_cut(machine: Machine) -> None:
    _, output, _ = machine.run("head -c 70000 /dev/zero | tr '\\0' x; echo; printf 'a\\rb\\n'")
    assert max(map(len, output.splitlines())) <= 500
    assert output.splitlines()[1:3] == ["a", "b"]


def test_the_work_is_told_the_key_of_its_job(machine: Machine) -> None:
    assert machine.run('echo "the key is $LAMBDA_VLLM_JOB_KEY"', "one-of-many")[1].startswith(
        "the key is one-of-many\n"
    )


def test_every_end_of_work_is_written_down_with_its_seconds(machine: Machine) -> None:
    machine.run("sleep 1.2")
    machine.run("true")
    machine.run("exit 7", "2")
    history = machine.home / ".local/share/lambda-vllm/jobs.jsonl"
    first, second = (json.loads(line) for line in history.read_text().splitlines())
    assert (first["job"], first["key"], first["status"]) == ("work", "1", "succeeded")
    assert first["seconds"] >= 1
    assert (second["key"], second["status"]) == ("2", "failed")
    assert datetime.fromisoformat(first["at"]) <= datetime.fromisoformat(second["at"])


def test_what_is_written_down_of_work_does_not_grow_without_end(machine: Machine) -> None:
    history = machine.home / ".local/share/lambda-vllm/jobs.jsonl"
    history.write_text("{}\n" * 5000)
    machine.run("true")
    lines = history.read_text().splitlines()
    assert len(lines) == 1000
    assert json.loads(lines[-1])["key"] == "1"


def test_of_work_long_past_nothing_is_left(machine: Machine) -> None:
    """A machine whose model is changed each hour does not have a folder more after each."""
    keys = [str(number) for number in range(14)]
    jobs = machine.home / ".local/share/lambda-vllm/jobs"
    for age, key in enumerate(reversed(keys)):
        machine.run("echo ran", key)
        long_ago = time.time() - 7200 - 60 * age
        os.utime(jobs / f"work-{key}", (long_ago, long_ago))
    machine.run("echo ran", "new")
    left = {path.name for path in jobs.iterdir() if path.is_dir()}
    assert left == {"work-new"} | {f"work-{key}" for key in keys[-10:]}
    assert "before this run" in machine.run("echo ran", "new")[1]


def test_work_under_way_is_kept_however_long_it_takes(machine: Machine) -> None:
    command = "echo begun >> begun; while [ ! -e go ]; do sleep 0.1; done; echo finished"
    jobs = machine.home / ".local/share/lambda-vllm/jobs"
    with machine.start(command, "first") as first:
        machine.wait_for("begun")
        os.utime(jobs / "work-first", (0, 0))
        for number in range(12):
            (jobs / f"work-old{number}").mkdir()
            os.utime(jobs / f"work-old{number}", (1 + number, 1 + number))
        with machine.start("echo ran", "second") as second:
            # Of the thirteen old ones the oldest three were looked at.
            until(lambda: len(list(jobs.glob("work-old*"))) == 10)
            (machine.home / "go").touch()
            assert "finished" in first.communicate(timeout=60)[1]
            assert "ran" in second.communicate(timeout=60)[1]
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(list(jobs.glob("work-old*"))) == 10
