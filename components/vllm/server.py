"""The model server: weights on the machine, a setting beside the one that is served, and the swap to it.

One command writes the setting down, which touches nothing, and makes the service serve it; what the program exports
comes from its result. When it fails or is killed, the mark of what was asked for has changed already. So the next
`pulumi up` asks the machine again whatever it is given, and with the old settings the machine finds that it serves them
and does nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.machine.host import Host
from components.model.facts import ModelFacts
from components.on_machine.jobs.job import Result
from components.on_machine.shared.paths import CONFIG, SETTING
from components.on_machine.shared.secret_input import with_end
from components.settings.groups import EndpointSettings, ModelSettings, ServingSettings
from components.vllm.decision import Decision
from components.vllm.programs import command, job, work_key
from components.vllm.release.flags import not_taken_by
from components.vllm.release.lists import CPU_TARGET, GPU_TARGET
from components.vllm.stack import VllmStack, json_input, seconds_of

DOWNLOAD_TIMEOUT_S = 4 * 3600

DRAIN_SECONDS = 30
"""For requests that are under way when the server is stopped, where `shutdown-timeout` in vllmArgs does not say."""


@dataclass(frozen=True)
class ModelServerArgs:
    """What is served, and how."""

    model: ModelSettings
    """The name under which it is served is the one that the user writes."""
    serving: ServingSettings
    endpoint: EndpointSettings
    facts: pulumi.Output[str]
    """`ModelFacts.to_json` of the commit to serve."""
    decision: pulumi.Output[Decision]
    """Flags that depend on the machine."""
    api_key: pulumi.Input[str]
    """The stack's own. A change of keys is no reason for a restart."""
    vllm_args: Mapping[str, Any] = field(default_factory=dict)
    """The user's flags of `vllm serve` as they are sent, without the leading dashes."""
    vllm_files: Mapping[str, str] = field(default_factory=dict)
    """Files that these flags name: contents by their places in the setting's folder on the machine."""
    drains: bool = True
    """This vLLM knows `--shutdown-timeout`."""

    @property
    def has_tls(self) -> bool:
        """The certificate is on the machine once that is ready."""
        return self.endpoint.tls == "own-ca"

    @property
    def start_timeout_seconds(self) -> int:
        """For a start, and as much for going back."""
        return self.serving.start_timeout_minutes * 60


@dataclass(frozen=True)
class Setting:
    """All that makes another start of the server necessary, as text."""

    config: str
    """For `vllm serve --config`."""
    environment: Mapping[str, str]
    """The user's own variables."""
    has_tls: bool
    environment_key: str
    """Of what is installed."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What flags name, by its place in the setting's folder."""

    @property
    def unknown_on_cpu(self) -> list[str]:
        """Flags that are left out on a machine without a GPU, whose vLLM may be of another version."""
        flags = json.loads(self.config)
        # What neither takes is vLLM's to refuse.
        return sorted({*not_taken_by(CPU_TARGET, flags)} - {*not_taken_by(GPU_TARGET, flags)})

    @property
    def key(self) -> str:
        """Names the setting on the machine. The keys and the certificate are no part: the server reads them anew."""
        files = [word for file in sorted(self.files.items()) for word in file]
        variables = json.dumps(self.environment, sort_keys=True)
        unknown = ",".join(self.unknown_on_cpu)
        return work_key("service", self.config, variables, str(self.has_tls), self.environment_key, unknown, *files)

    def request(self, api_keys: Sequence[str], log_megabytes: int, start_timeout_seconds: int) -> str:
        """The input of `service.request` on the machine."""
        setting = {
            "tls": self.has_tls,
            "start_timeout_seconds": start_timeout_seconds,
            "environment": dict(self.environment),
            "unknown_on_cpu": self.unknown_on_cpu,
        }
        return json_input(
            key=self.key,
            environment_key=self.environment_key,
            files={**self.files, CONFIG: self.config, SETTING: json.dumps(setting)},
            api_keys=list(dict.fromkeys(api_keys)),
            log_megabytes=log_megabytes,
        )


@dataclass(frozen=True)
class Served:
    """What the machine says that it serves."""

    model: str
    scheme: str
    port: int
    start_seconds: int | None
    """From the server's process to the first token, of the start that is served."""
    outage_seconds: int | None
    """None when no model had to be stopped."""

    @staticmethod
    def of(stdout: str) -> "Served":
        """From the result of the swap."""
        return Served(**Result.from_json(stdout).facts)


class ModelServer:
    """A model that answers on an OpenAI-compatible endpoint; there when a token came back."""

    endpoint: pulumi.Output[str]
    model: pulumi.Output[str]
    """What the machine serves, by its own word; the name as the user writes it."""
    download_seconds: pulumi.Output[int]
    start_seconds: pulumi.Output[int | None]
    setting_key: pulumi.Output[str]
    """Changes with all that needs a new start."""
    outage_seconds: pulumi.Output[int | None]
    """How long no model was served during the last change; None when none was served before."""
    served: pulumi.Resource

    def __init__(
        self, name: str, host: Host, stack: VllmStack, args: ModelServerArgs, asked: pulumi.Output[str]
    ) -> None:
        """`asked` is the revision of the mark of what is asked for: it changes first."""
        facts = args.facts.apply(ModelFacts.from_json)
        setting = pulumi.Output.all(facts, args.decision).apply(
            lambda known: Setting(
                server_config(args, *known),
                {variable: str(value) for variable, value in args.serving.vllm_env.items()},
                args.has_tls,
                stack.environment_key,
                args.vllm_files,
            )
        )
        self.setting_key = setting.apply(lambda one: one.key)
        weights = host.run(
            f"{name}-weights",
            facts.apply(lambda known: download_command(known, args.model.hf_endpoint)),
            triggers=[facts.apply(weights_key)],
            stdin=pulumi.Output.secret(with_end(args.model.hf_token)),
            after=[stack.ready],
            is_job=True,
        )
        request = pulumi.Output.all(setting, args.api_key).apply(
            lambda known: known[0].request(
                [known[1], *args.endpoint.additional_api_keys], args.serving.log_megabytes, args.start_timeout_seconds
            )
        )
        # A setting is asked for when it can be served: an earlier request that is under way gives way to it.
        served = host.run(
            f"{name}-serve",
            setting.apply(lambda one: serve_command(one.key, args.start_timeout_seconds)),
            stdin=pulumi.Output.secret(request),
            triggers=[pulumi.Output.unsecret(asked)],
            after=[stack.installed, weights],
            is_job=True,
        )
        self.served = served
        found = pulumi.Output.unsecret(served.stdout).apply(Served.of)
        self.model = found.apply(lambda said: said.model)
        self.download_seconds = seconds_of(weights.stdout)
        self.start_seconds = found.apply(lambda said: said.start_seconds)
        self.outage_seconds = found.apply(lambda said: said.outage_seconds)
        # The URL is known earlier, and given only when the model answers there.
        self.endpoint = pulumi.Output.all(host.ip, found).apply(
            lambda known: f"{known[1].scheme}://{known[0]}:{known[1].port}/v1"
        )


def server_config(args: ModelServerArgs, facts: ModelFacts, decision: Decision) -> str:
    """The file for `vllm serve --config`; JSON, which is YAML."""
    flags: dict[str, Any] = {
        "model": facts.model,
        "revision": facts.commit,
        "port": args.endpoint.port,
        "max-model-len": args.serving.max_model_len,
    }
    if args.drains:
        flags["shutdown-timeout"] = DRAIN_SECONDS
    if decision.cpu_offload_gb:
        flags["cpu-offload-gb"] = decision.cpu_offload_gb
    if decision.tensor_parallel_size > 1:
        flags["tensor-parallel-size"] = decision.tensor_parallel_size
    return json.dumps({**flags, **args.vllm_args, "served-model-name": names(args, facts)}, indent=2) + "\n"


def names(args: ModelServerArgs, facts: ModelFacts) -> list[str]:
    """What the model answers to: the name that the user wrote, first, since readiness asks for it; the present one of a
    renamed repository; and any that `served-model-name` in vllmArgs adds."""
    given = args.vllm_args.get("served-model-name", [])
    more = given if isinstance(given, list) else [given]
    return list(dict.fromkeys([args.model.model, facts.model, *map(str, more)]))


def weights_key(facts: ModelFacts) -> str:
    """Changes with what is downloaded."""
    return work_key("weights", facts.model, facts.commit, *facts.excludes)


def download_command(facts: ModelFacts, hub_url: str) -> str:
    """Command that keeps the token of its input and downloads the weights, as a job."""
    words = [facts.model, facts.commit, hub_url, str(facts.download_bytes), *facts.excludes]
    return f"{command('weights.token')} && " + job(
        "download", weights_key(facts), DOWNLOAD_TIMEOUT_S, "weights", *words
    )


def serve_command(key: str, start_timeout_seconds: int) -> str:
    """Command that writes the request of its input down, and makes the service serve it."""
    return f"{command('service.request')} && {swap_command(key, start_timeout_seconds)}"


def swap_command(key: str, start_timeout_seconds: int) -> str:
    """Command that makes the service serve what was requested, as a job.

    The machine's own limits end first, the outer one is for a machine that hangs: two starts, the second to go back,
    besides a look at the settings and the end of the old server.
    """
    return job("swap", key, 2 * start_timeout_seconds + 1800, "service.swap", key, again=True)
