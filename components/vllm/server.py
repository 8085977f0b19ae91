"""The model server: weights, settings and key on the machine, the service started, and proof that it answers."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.machine.host import SCRIPTS, Host, content_hash, write_command
from components.vllm.hub import ModelCommit
from components.vllm.stack import FOLDER, INSTALL_KEY, VllmStack, job, seconds_of

DOWNLOAD_TIMEOUT_S = 4 * 3600


@dataclass(frozen=True)
class ModelServerArgs:
    """What is served, and how."""

    model: ModelCommit
    hub_url: str
    hf_token: str
    """Used to download the weights; the server runs offline and does not read it."""
    api_key: pulumi.Input[str]
    port: int = 8000
    max_model_len: str | int = "auto"
    """Tokens; `auto` is the longest context that fits."""
    cpu_offload_gb: float = 0
    """GiB of the weights that stay in the machine's memory."""
    vllm_args: Mapping[str, Any] = field(default_factory=dict)
    """Any other flag of `vllm serve`, without the leading dashes."""
    vllm_env: Mapping[str, str | int | float] = field(default_factory=dict)
    start_timeout_seconds: int = 3600


class ModelServer(pulumi.ComponentResource):
    """A model that answers on an OpenAI-compatible endpoint; ready when a token came back."""

    endpoint: pulumi.Output[str]
    download_seconds: pulumi.Output[int | None]
    start_seconds: pulumi.Output[int | None]

    def __init__(
        self,
        name: str,
        host: Host,
        stack: VllmStack,
        args: ModelServerArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("lambdavllm:vllm:ModelServer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        config = server_config(args)
        environment = environment_file(args.vllm_env)
        # The key is not part of it: the guard reads the key file anew when it changes.
        start_hash = content_hash(
            *(FOLDER / name for name in ("common.sh", "serve.sh", "guard.py", "start.sh")),
            more=[config, environment, INSTALL_KEY],
        )

        hf_token = host.put_secret(f"{name}-hf-token", "hf-token", args.hf_token, child)
        keys = host.put_secret(f"{name}-api-key", "api-keys", args.api_key, child)
        weights_key = content_hash(FOLDER / "download.sh", more=[args.model.model, args.model.commit])
        weights = host.run(
            f"{name}-weights",
            job(
                "download", weights_key, DOWNLOAD_TIMEOUT_S, "download.sh", *map(shlex.quote, download_arguments(args))
            ),
            triggers=[weights_key],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*stack.scripts, hf_token]),
        )
        # The running server's settings are not touched before the new ones can be served.
        loadable = pulumi.ResourceOptions(parent=self, depends_on=[stack.installed, weights])
        variables = host.put_secret(f"{name}-environment", "server.env", environment, loadable)
        settings = host.run(f"{name}-config", write_command("vllm.yaml"), stdin=config, opts=loadable)
        started = host.run(
            f"{name}-start",
            start_command(start_hash, args),
            # Each write prints another number, so that going back to settings that served before starts them again.
            triggers=[start_hash, pulumi.Output.unsecret(variables.stdout), settings.stdout],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[keys, variables, settings]),
        )
        self.download_seconds = seconds_of(weights)
        self.start_seconds = seconds_of(started)
        # The URL is known earlier, and given only when the model answers there.
        self.endpoint = pulumi.Output.all(host.ip, self.start_seconds).apply(
            lambda known: f"http://{known[0]}:{args.port}/v1"
        )
        self.register_outputs({"endpoint": self.endpoint})


def server_config(args: ModelServerArgs) -> str:
    """The file for `vllm serve --config`; JSON, which is YAML."""
    flags: dict[str, Any] = {
        "model": args.model.model,
        "revision": args.model.commit,
        "served-model-name": [args.model.model],
        "port": args.port,
        "max-model-len": args.max_model_len,
    }
    if args.cpu_offload_gb:
        flags["cpu-offload-gb"] = args.cpu_offload_gb
    return json.dumps({**flags, **args.vllm_args}, indent=2) + "\n"


def environment_file(variables: Mapping[str, str | int | float]) -> str:
    """The user's variables as a file that the service's shell reads."""
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in sorted(variables.items()))


def download_arguments(args: ModelServerArgs) -> tuple[str, str, str]:
    """Arguments of download.sh."""
    return args.model.model, args.model.commit, args.hub_url


def start_command(start_hash: str, args: ModelServerArgs) -> str:
    """Command that starts the service and waits; its own limit ends first, the outer one is for a hung machine."""
    seconds = args.start_timeout_seconds
    words = [start_hash, str(args.port), shlex.quote(args.model.model), str(seconds)]
    return f"timeout {seconds + 300} bash {SCRIPTS}/start.sh {' '.join(words)}"
