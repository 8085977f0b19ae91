"""The last lines of servers that ended without saying why, with what else is known of their end."""

# The tools write lines as long as they like.
# ruff: noqa: E501

from components.on_machine.diagnose.ends import End
from tests.support.log_samples.server import BEGIN, CORE, OFFLOADED, in_core

API = "(APIServer pid=4655) ERROR 11-22 11:40:02 [async_llm.py:906] "
WARNED = (
    "(APIServer pid=4655) WARNING 11-22 10:02:12 [system_utils.py:255] Found ulimit of 20000 and failed to automatically "
    "increase with error current limit exceeds maximum limit. This can cause fd limit errors like `OSError: [Errno 24]`\n"
)

SERVING = f"{BEGIN}{WARNED}{OFFLOADED}INFO:     Application startup complete.\n"

# As vLLM 0.32 wrote it on a CPU when its engine got a SIGKILL.
ENGINE_GONE = f"""{SERVING}\
(Worker pid=4712) INFO 11-22 11:40:02 [multiproc_executor.py:843] Parent process exited, terminating worker queues
(APIServer pid=4655) WARNING 11-22 11:40:02 [core_client.py:817] [shutdown] MPClient: engine core exited unexpectedly; starting cleanup
(APIServer pid=4655) INFO 11-22 11:40:02 [core_client.py:770] [shutdown] MPClient: start timeout=default
(APIServer pid=4655) INFO 11-22 11:40:02 [core_client.py:777] [shutdown] MPClient: complete
{API}AsyncLLM output_handler failed.
{API}Traceback (most recent call last):
{API}  File "/home/ubuntu/vllm/v1/engine/async_llm.py", line 849, in output_handler
{API}    outputs = await engine_core.get_output_async()
{API}              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
{API}  File "/home/ubuntu/vllm/v1/engine/core_client.py", line 1235, in get_output_async
{API}    raise self._format_exception(outputs) from None
{API}vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause.
INFO:     10.0.0.7:51044 - "POST /v1/chat/completions HTTP/1.1" 500 Internal Server Error
INFO:     Shutting down
INFO:     Application shutdown complete.
INFO:     Finished server process [4655]
/usr/lib/python3.12/multiprocessing/resource_tracker.py:254: UserWarning: resource_tracker: There appear to be 1 leaked shared_memory objects to clean up at shutdown
  warnings.warn('resource_tracker: There appear to be %d '
"""
WORKER_GONE = f"""{SERVING}\
(EngineCore pid=4711) ERROR 11-22 11:40:02 [multiproc_executor.py:315] Worker proc VllmWorker-1 died unexpectedly (exit code: -9), shutting down executor.
{CORE}EngineCore encountered a fatal error.
{CORE}Traceback (most recent call last):
{CORE}  File "/home/ubuntu/vllm/v1/executor/multiproc_executor.py", line 399, in collective_rpc
{CORE}    raise RuntimeError("Executor failed.")
{CORE}RuntimeError: Executor failed.
{API}vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause.
"""
EMPTY = f"""\
{CORE}Traceback (most recent call last):
{CORE}  File "/home/ubuntu/vllm/v1/core/sched/scheduler.py", line 611, in schedule
{CORE}    assert num_new_tokens > 0
{CORE}           ^^^^^^^^^^^^^^^^^^
{CORE}{{raised}}
"""

# By name: the log, the end, the code of its cause, and words of what is told.
ENDS: dict[str, tuple[str, End, str, tuple[str, ...]]] = {
    "engine killed by the kernel": (
        ENGINE_GONE,
        End(0, "serving", killed_for_memory=True),
        "out-of-memory",
        ("the kernel killed the engine", "the machine ran out of memory, not the GPU", "cpuOffloadGb"),
    ),
    "engine killed by somebody": (
        ENGINE_GONE,
        End(0, "serving", killed_for_memory=False),
        "engine-gone",
        ("the engine's process ended without a word", "not killed by the kernel for want of memory"),
    ),
    "engine gone, and nobody counts": (
        ENGINE_GONE,
        End(0, "serving"),
        "engine-gone",
        ("the engine's process ended without a word", "the machine's memory"),
    ),
    "engine gone after an error of its own": (
        ENGINE_GONE.replace(
            "(APIServer pid=4655) WARNING 11-22 11:40:02",
            f"{CORE}EngineCore encountered a fatal error.\n{CORE}acme.KernelError: no handle\n(APIServer pid=4655) WARNING 11-22 11:40:02",
        ),
        End(0, "serving", killed_for_memory=False),
        "unknown",
        ("acme.KernelError: no handle",),
    ),
    "engine killed while it loads": (
        in_core("OSError: [Errno 5] while reading weights", ended="-9").replace(
            "OSError: [Errno 5] while reading weights", ""
        ),
        End(1, "loading the weights", killed_for_memory=False),
        "killed-by-somebody",
        (
            "the engine's process was killed (SIGKILL)",
            "while: loading the weights",
            "not by the kernel for want of memory",
        ),
    ),
    "engine killed for its memory while it loads": (
        in_core("", ended="-9"),
        End(1, "loading the weights", killed_for_memory=True),
        "out-of-memory",
        ("the kernel killed the engine", "cpuOffloadGb"),
    ),
    "engine crashed": (
        BEGIN
        + "(APIServer pid=4655) RuntimeError: Engine core initialization failed. See root cause above. Failed core "
        "proc(s): {'EngineCore': -11}\n",
        End(1, "capturing graphs"),
        "crashed",
        ("the engine's process crashed (SIGSEGV)", "while: capturing graphs"),
    ),
    "a worker killed": (
        WORKER_GONE,
        End(0, "serving", killed_for_memory=False),
        "killed-by-somebody",
        ("the worker VllmWorker-1's process was killed (SIGKILL)", "while: serving"),
    ),
    "a worker killed by the kernel": (
        WORKER_GONE,
        End(0, "serving", killed_for_memory=True),
        "out-of-memory",
        ("the kernel killed the worker VllmWorker-1", "cpuOffloadGb"),
    ),
    "server killed": (
        SERVING,
        End(-9, "serving", killed_for_memory=False),
        "killed-by-somebody",
        ("the API server's process was killed (SIGKILL)", "while: serving"),
    ),
    "server killed, by a shell's word": (
        SERVING,
        End(137, "serving"),
        "killed",
        ("the API server's process was killed (SIGKILL)",),
    ),
    "server ended from outside": (
        SERVING,
        End(-15, "serving"),
        "ended-from-outside",
        ("was ended from outside (SIGTERM)", "while: serving"),
    ),
    "server ended by itself": (
        SERVING,
        End(0, "serving"),
        "ended-by-itself",
        ("ended by itself", "exit status 0", "while: serving", "Application startup complete."),
    ),
    "server ended before it said anything": (
        "",
        End(127, "importing packages"),
        "ended-by-itself",
        ("exit status 127", "while: importing packages"),
    ),
    "a program that is missing": (
        "/home/ubuntu/.local/share/lambda-vllm/scripts/serve.sh: line 48: /home/ubuntu/venv/bin/vllm: No such file or directory\n",
        End(127, "importing packages"),
        "ended-by-itself",
        ("venv/bin/vllm: No such file or directory", "exit status 127"),
    ),
    "an exception without a message": (
        SERVING + EMPTY.format(raised="AssertionError"),
        End(1, "serving"),
        "unknown",
        ("AssertionError without a message, raised in scheduler.py, line 611: assert num_new_tokens > 0",),
    ),
    "an exception with an empty message": (
        SERVING + EMPTY.format(raised="RuntimeError: "),
        End(1, "serving"),
        "unknown",
        ("RuntimeError without a message, raised in scheduler.py, line 611",),
    ),
    "an exception that is named like none": (
        SERVING + EMPTY.format(raised="acme.Overflow: too many heads"),
        End(1, "serving"),
        "unknown",
        ("acme.Overflow: too many heads",),
    ),
    "an exception without a message under others": (
        in_core("AssertionError"),
        End(1, "loading the weights"),
        "unknown",
        ("AssertionError without a message, raised in core.py, line 1484: engine_core = EngineCoreProc(",),
    ),
    "settings that do not go together": (
        BEGIN
        + "pydantic_core._pydantic_core.ValidationError: 1 validation error for VllmConfig\n  Value error, Model Runner V2 "
        "requires Triton. [type=value_error, input_value=ArgsKwargs((), {'model_co... 0}), input_type=ArgsKwargs]\n"
        "    For further information visit https://errors.pydantic.dev/2.14/v/value_error\n",
        End(1, "reading the settings"),
        "unknown",
        ("Model Runner V2 requires Triton.",),
    ),
    "words of clients": (
        SERVING
        + 'INFO:     203.0.113.7:4711 - "GET /No%20space%20left%20on%20device?No space left on device HTTP/1.1" 404 Not Found\n'
        + "(APIServer pid=4655) ERROR 11-22 11:40:01 [serving.py:274] Error with model error=ErrorInfo(message='The model "
        "`CUDA out of memory` does not exist.', type='NotFoundError', param='model', code=404)\n",
        End(-9, "serving", killed_for_memory=False),
        "killed-by-somebody",
        ("the API server's process was killed (SIGKILL)",),
    ),
}
