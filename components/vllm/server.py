"""The model server: weights, settings and key on the machine, the service started, and proof that it answers."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.machine.host import SCRIPTS, Host, content_hash, write_command
from components.vllm.decision import Decision
from components.vllm.model_facts import ModelFacts
from components.vllm.stack import FOLDER, VllmStack, job, seconds_of

DOWNLOAD_TIMEOUT_S = 4 * 3600


@dataclass(frozen=True)
class ModelServerArgs:
    """What is served, and how."""

    model: str
    """The name under which it is served, as the user writes it."""
    facts: pulumi.Output[str]
    """`ModelFacts.to_json` of the commit to serve."""
    decision: pulumi.Output[Decision]
    """Flags that depend on the machine."""
    hub_url: str
    hf_token: str
    """Used to download the weights; the server runs offline and does not read it."""
    api_key: pulumi.Input[str]
    """The stack's own."""
    additional_api_keys: Sequence[str] = ()
    """Others that are accepted too. A change of keys is no reason for a restart."""
    port: int = 8000
    max_model_len: str | int = "auto"
    """Tokens; `auto` is the longest context that fits."""
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
        facts = args.facts.apply(ModelFacts.from_json)
        config = pulumi.Output.all(facts, args.decision).apply(lambda known: server_config(args, *known))
        environment = environment_file(args.vllm_env)
        start_hash = config.apply(lambda text: start_key(text, environment, stack.install_key))

        # Not before: a driver step may reboot the machine.
        ready = pulumi.ResourceOptions(parent=self, depends_on=stack.prepared)
        hf_token = host.put_secret(f"{name}-hf-token", "hf-token", args.hf_token, ready)
        key_file_text = pulumi.Output.secret(args.api_key).apply(lambda own: key_file(own, args.additional_api_keys))
        keys = host.put_secret(f"{name}-api-key", "api-keys", key_file_text, ready)
        weights = host.run(
            f"{name}-weights",
            facts.apply(lambda known: download_command(known, args.hub_url)),
            triggers=[facts.apply(weights_key)],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[hf_token]),
        )
        # The running server's settings are not touched before the new ones can be served.
        loadable = pulumi.ResourceOptions(parent=self, depends_on=[stack.installed, weights])
        variables = host.put_secret(f"{name}-environment", "server.env", environment, loadable)
        settings = host.run(f"{name}-config", write_command("vllm.yaml"), stdin=config, opts=loadable)
        started = host.run(
            f"{name}-start",
            start_hash.apply(lambda key: start_command(key, args)),
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


def server_config(args: ModelServerArgs, facts: ModelFacts, decision: Decision) -> str:
    """The file for `vllm serve --config`; JSON, which is YAML."""
    flags: dict[str, Any] = {
        "model": facts.model,
        "revision": facts.commit,
        # A renamed repository answers to the name that the user wrote, and to its present one.
        "served-model-name": list(dict.fromkeys([args.model, facts.model])),
        "port": args.port,
        "max-model-len": args.max_model_len,
    }
    if decision.cpu_offload_gb:
        flags["cpu-offload-gb"] = decision.cpu_offload_gb
    if decision.tensor_parallel_size > 1:
        flags["tensor-parallel-size"] = decision.tensor_parallel_size
    return json.dumps({**flags, **args.vllm_args}, indent=2) + "\n"


def start_key(config: str, environment: str, install_key: str) -> str:
    """Changes with all that needs a new start. The API key does not: the guard reads its file anew when it changes."""
    scripts = (FOLDER / name for name in ("common.sh", "serve.sh", "guard.py", "guard_connections.py", "start.sh"))
    return content_hash(*scripts, more=[config, environment, install_key])


def key_file(own: str, additional: Sequence[str]) -> str:
    """The keys that the guard accepts, one a line, each once, the stack's own first."""
    return "".join(f"{key}\n" for key in dict.fromkeys([own, *additional]))


def environment_file(variables: Mapping[str, str | int | float]) -> str:
    """The user's variables as a file that the service's shell reads."""
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in sorted(variables.items()))


def weights_key(facts: ModelFacts) -> str:
    """Changes with what is downloaded."""
    scripts = (FOLDER / name for name in ("download.sh", "download.py", "fetch.py"))
    return content_hash(*scripts, more=[facts.model, facts.commit, *facts.excludes])


def download_command(facts: ModelFacts, hub_url: str) -> str:
    """Command that downloads the weights, as a job."""
    words = [facts.model, facts.commit, hub_url, str(facts.download_bytes), *facts.excludes]
    return job("download", weights_key(facts), DOWNLOAD_TIMEOUT_S, "download.sh", *map(shlex.quote, words))


def start_command(key: str, args: ModelServerArgs) -> str:
    """Command that starts the service and waits; its own limit ends first, the outer one is for a hung machine."""
    seconds = args.start_timeout_seconds
    words = [key, str(args.port), shlex.quote(args.model), str(seconds)]
    return f"timeout {seconds + 300} bash {SCRIPTS}/start.sh {' '.join(words)}"
