"""Does the work of a job, apart from whoever asked for it: `runner LOCK NAME KEY MODULE [ARGUMENT…]`.

LOCK is the descriptor of the job's lock, which is held already and ends with this process.
"""

import json
import os
import signal
import subprocess
import sys
from typing import Any

from components.on_machine.diagnose.explain import diagnosis
from components.on_machine.jobs.job import FAILED, SUCCEEDED, Job, JobError, Result
from components.on_machine.shared.clock import now
from components.on_machine.shared.locks import locked
from components.on_machine.shared.paths import places
from components.on_machine.shared.release import hold
from components.on_machine.shared.work import KEY_VARIABLE, RESULT_VARIABLE


def run(job: Job, module: str, arguments: list[str]) -> None:
    """Wait for the job's turn, then do the work and write down what came of it."""
    # Two jobs of one name with different keys would work on the same files.
    with locked(job.turn):
        job.begins()
        began = now()
        outcome_file = job.folder / "outcome.json"
        outcome_file.unlink(missing_ok=True)
        environment = {**os.environ, KEY_VARIABLE: job.key, RESULT_VARIABLE: str(outcome_file)}
        command = [sys.executable, "-m", module, *arguments]
        with job.progress.open("a") as progress, job.log.open("a") as log:
            status = subprocess.run(command, stdout=progress, stderr=log, env=environment, check=False).returncode
        seconds = int(now() - began)
        try:
            outcome: dict[str, Any] = json.loads(outcome_file.read_text())
        except (OSError, ValueError):
            outcome = {}
        if status == 0:
            job.ends(Result(job.name, job.key, SUCCEEDED, seconds, facts=outcome.get("facts", {})))
        else:
            found = diagnosis(job.name, job.log)
            code = outcome.get("error", {}).get("code", found.code)
            job.ends(Result(job.name, job.key, FAILED, seconds, JobError(code, found.message, str(job.log))))


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    hold()
    # The work does not inherit the lock: what it leaves running is not the job.
    os.set_inheritable(int(sys.argv[1]), False)
    run(Job(places(), sys.argv[2], sys.argv[3]), sys.argv[4], sys.argv[5:])
