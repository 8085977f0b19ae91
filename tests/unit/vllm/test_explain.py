"""From the end of a log to one line that says what to do. The samples are texts that the tools print."""

import pytest

from components.vllm.scripts.explain import cause

GATED = """huggingface_hub.errors.GatedRepoError: 403 Client Error. (Request ID: Root=1)
Cannot access gated repo for url https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct/resolve/main/config.json.
Access to model meta-llama/Llama-3.1-8B-Instruct is restricted and you are not in the authorized list."""

TOO_LONG = """(EngineCore pid=1) ValueError: To serve at least one request with the model's max seq len (131072),
(40.00 GiB KV cache is needed, which is larger than the available KV cache memory (3.64 GiB). Based on the available
memory, the estimated maximum model length is 11920. Try increasing `gpu_memory_utilization`."""


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        (GATED, "accept the licence"),
        (TOO_LONG.replace("\n", " "), "set maxModelLen to 11920 or less"),
        ("ValueError: No available memory for the cache blocks. Try increasing", "raise cpuOffloadGb"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 448.00 MiB", "larger than the GPU's memory"),
        ("vllm: error: unrecognized arguments: --swap-space 4", "does not know --swap-space 4"),
        ("OSError: [Errno 98] Address already in use".replace("Address", "address"), "another `port`"),
        ("RuntimeError: Engine core initialization failed. Failed core proc(s): {'EngineCore': -9}", "out of memory"),
        ("401 Client Error. Repository Not Found for url: https://hub/api/models/a/b", "no such model"),
        ("E: Unable to locate package cuda-compat-13-0", "apt says: Unable to locate package"),
        ("error: Failed to fetch: `https://index/torch`\n  Caused by: error sending request", "a download failed"),
        ("noise\nerror: 3 GiB free on the machine's disk, vLLM needs 15 GiB\n", "3 GiB free on the machine's disk"),
        ("RuntimeError: The NVIDIA driver on your system is too old (found version 12080).", "driver is too old"),
    ],
)
def test_known_causes_are_named_with_their_remedy(log: str, told: str) -> None:
    assert told in cause(log)


def test_the_root_cause_is_told_and_not_what_wraps_it() -> None:
    log = "RuntimeError: Engine core initialization failed\nOSError: [Errno 28] No space left on device"
    assert cause(log) == "the machine's disk is full"


def test_an_unknown_failure_is_told_with_its_last_telling_line() -> None:
    assert cause("all is well\nFrobnicatorError: lost the plot\nbye") == "FrobnicatorError: lost the plot"


def test_a_log_without_a_word_says_what_to_do() -> None:
    assert "run `pulumi up` again" in cause("")


def test_the_cause_is_short_whatever_the_log() -> None:
    assert len(cause("error " + "x" * 100_000)) <= 300
