"""Puts several questions to vLLM for the time of one import; run by a Python that has vLLM.

Standard input: a JSON object of questions, by the path of the program that answers: what that reads. Standard output:
what each has printed last, by the same paths. Each answers in a process of its own, which begins with vLLM loaded.
"""

import io
import json
import os
import runpy
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["VLLM_LOGGING_LEVEL"] = "ERROR"
LOADED = ("vllm.config", "vllm.engine.arg_utils", "vllm.model_executor.models.registry")


def main() -> None:
    """Answer them one after the other."""
    questions: dict[str, object] = json.load(sys.stdin)
    for module in LOADED:
        import_module(module)
    answers = {}
    with TemporaryDirectory() as folder:
        for number, (program, question) in enumerate(questions.items()):
            said = Path(folder) / str(number)
            child = os.fork()
            if child == 0:
                _become(program, json.dumps(question), said)
            _, status = os.waitpid(child, 0)
            if status:
                sys.exit(f"{program}: status {os.waitstatus_to_exitcode(status)}")
            answers[program] = json.loads(said.read_text().splitlines()[-1])
    json.dump(answers, sys.stdout)


def _become(program: str, question: str, said: Path) -> None:
    status = 1
    try:
        with said.open("w") as sys.stdout:
            sys.stdin = io.StringIO(question)
            runpy.run_path(program, run_name="__main__")
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        # Without what the parent has registered for its own end.
        os._exit(status)


if __name__ == "__main__":
    main()
