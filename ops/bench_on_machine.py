"""Runs `vllm bench serve` on the machine: SCHEME PORT MODEL REQUESTS CONCURRENCY INPUT_TOKENS OUTPUT_TOKENS

It comes by standard input into the Python of vLLM's environment there. The last line of standard output is the result
as JSON; everything else goes to standard error. The server's key goes by the environment, never by argv.
"""

import json
import os
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import yaml
from huggingface_hub import try_to_load_from_cache

from components.on_machine.shared.paths import CONFIG, places
from components.on_machine.tls.trust import distrust_of

HERE = places()
CONNECT_S = 10.0


def main(scheme: str, port: str, model: str, requests: str, concurrency: str, inputs: str, outputs: str) -> int:
    os.environ["HF_HUB_OFFLINE"] = "1"
    address = os.environ.get("BIND_ADDRESS", "127.0.0.1")
    if scheme == "https":
        check_trust(address, int(port), HERE.authority)
    check_context(f"{scheme}://{address}:{port}", int(inputs), int(outputs))
    folder = str(weights_folder())
    with tempfile.TemporaryDirectory() as results:
        words = [
            *(str(HERE.venv / "bin/vllm"), "bench", "serve", "--backend", "openai"),
            *("--base-url", f"{scheme}://{address}:{port}"),
            *("--endpoint", "/v1/completions", "--model", model, "--tokenizer", folder),
            *("--dataset-name", "random", "--random-input-len", inputs, "--random-output-len", outputs),
            *("--num-prompts", requests, "--max-concurrency", concurrency, "--temperature", "0"),
            *("--percentile-metrics", "ttft,itl,e2el", "--metric-percentiles", "50,95,99"),
            *(
                "--save-result",
                "--save-detailed",
                "--result-dir",
                results,
                "--result-filename",
                "result.json",
                "--disable-tqdm",
            ),
        ]
        done = subprocess.run(words, env=environment(scheme), stdout=sys.stderr, check=False)
        if done.returncode:
            return done.returncode
        print(json.dumps(summary(json.loads((Path(results) / "result.json").read_text()))))
    return 0


def check_trust(address: str, port: int, ca_file: Path) -> None:
    """End with one line where the benchmark would wait for ten minutes for a server that it does not trust."""
    if found := distrust_of(address, port, ca_file.read_text(), address, CONNECT_S):
        raise SystemExit(f"error: the server shows {found.why('this machine', address)}")


def check_context(root: str, inputs: int, outputs: int) -> None:
    """End with one line where no request could be answered; vLLM's benchmark takes ten seconds to find that."""
    request = Request(f"{root}/v1/models", headers={"Authorization": f"Bearer {api_key()}"})  # noqa: S310 - http(s)
    context = ssl.create_default_context(cafile=HERE.authority) if root.startswith("https:") else None
    try:
        with urlopen(request, timeout=CONNECT_S, context=context) as answer:  # noqa: S310 - http(s)
            longest = json.load(answer)["data"][0]["max_model_len"]
    except OSError as error:
        raise SystemExit(f"error: the server does not answer: {error}") from None
    if inputs + outputs > longest:
        raise SystemExit(
            f"error: --input-tokens {inputs} and --output-tokens {outputs} are together more than the model's context "
            f"holds ({longest})"
        )


def api_key() -> str:
    """The first that the server takes."""
    return HERE.api_keys.read_text().split()[0]


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """Without what there is of each request, but for the first error."""
    errors = [str(error).strip() for error in result.get("errors", []) if error]
    figures = {name: value for name, value in result.items() if not isinstance(value, list)}
    return {**figures, "first_error": errors[0].splitlines()[-1] if errors else None}


def weights_folder() -> Path:
    """Where the commit that is served lies on the disk, with its tokenizer."""
    served = yaml.safe_load((HERE.current / CONFIG).read_text())
    config = try_to_load_from_cache(served["model"], "config.json", revision=served["revision"])
    if not isinstance(config, str):
        raise SystemExit(f"error: the weights of {served['model']} are not on the machine")
    return Path(config).parent


def environment(scheme: str) -> dict[str, str]:
    """With the key, and with the CA as the only one."""
    variables = {
        **os.environ,
        "OPENAI_API_KEY": api_key(),
        "VLLM_NO_USAGE_STATS": "1",
    }
    if scheme == "https":
        variables["SSL_CERT_FILE"] = str(HERE.authority)
    return variables


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
