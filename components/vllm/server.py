"""The model server: weights and key on the machine, a setting beside the one that is served, and the swap to it.

Two commands stand for a setting. The first writes it down on the machine and touches nothing; the second makes the
service serve it, and what the program exports comes from its report. When the second fails or is killed, the state has
the new input of the first and the old input of the second. So the next `pulumi up` asks the machine again whatever it
is given, and with the old settings the machine finds that it serves them and does nothing.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.machine.host import BASE, SCRIPTS, Host, content_hash
from components.model.facts import ModelFacts
from components.vllm.decision import Decision
from components.vllm.stack import FOLDER, VllmStack, job, seconds_of
from components.vllm.versions import PINNED_VLLM

DOWNLOAD_TIMEOUT_S = 4 * 3600

DRAIN_SECONDS = 30
"""For requests that are under way when the server is stopped, where `shutdown-timeout` in vllmArgs does not say."""

SERVICE = (
    "common.sh",
    "serve.sh",
    "access_log.py",
    "guard.py",
    "guard_connections.py",
    "generations.py",
    "log_files.py",
    "probe.py",
    "server_process.py",
    "service_state.py",
    "stages.py",
    "supervise.py",
    "timeline.py",
    "trust.py",
)
"""What runs as long as the server does, and therefore is new only with a new start."""

_SERVING = re.compile(r"^serving (\S+) over (https?) on port (\d+)$", re.MULTILINE)
_START = re.compile(r"^start: done in (\d+) s$", re.MULTILINE)
_OUTAGE = re.compile(r"^outage: (\d+) s$", re.MULTILINE)


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
    vllm_files: Mapping[str, str] = field(default_factory=dict)
    """Files that these flags name: contents by their places in the setting's folder on the machine."""
    vllm_env: Mapping[str, str | int | float] = field(default_factory=dict)
    start_timeout_seconds: int = 3600
    log_megabytes: int = 120
    """What the logs of the server may take of the machine's disk. A change is no reason for a restart."""
    tls_ready: pulumi.Resource | None = None
    """What has put certificate and CA on the machine; None for a server without TLS."""


@dataclass(frozen=True)
class Setting:
    """All that makes another start of the server necessary, as text."""

    config: str
    """For `vllm serve --config`."""
    environment: str
    """Variables, as a file that a shell reads."""
    has_tls: bool
    install_key: str
    files: Mapping[str, str] = field(default_factory=dict)
    """What flags name, by its place in the setting's folder."""

    @property
    def key(self) -> str:
        """Names the setting on the machine. The keys and the certificate are no part: the server reads them anew."""
        scripts = (FOLDER / name for name in SERVICE)
        files = [word for file in sorted(self.files.items()) for word in file]
        words = [self.config, self.environment, str(self.has_tls), self.install_key, *files]
        return content_hash(*scripts, more=words)

    def stage_input(self, start_timeout_seconds: int) -> str:
        """For stage.py on the machine."""
        setting = {"tls": self.has_tls, "start_timeout_seconds": start_timeout_seconds}
        files = {"vllm.yaml": self.config, "server.env": self.environment, "setting.json": json.dumps(setting)}
        return json.dumps({"key": self.key, "install_key": self.install_key, "files": {**self.files, **files}})


@dataclass(frozen=True)
class Report:
    """What the machine says that it serves."""

    model: str
    scheme: str
    port: int
    start_seconds: int | None
    """From the server's process to the first token, of the start that is served."""
    outage_seconds: int | None
    """None when no model had to be stopped."""

    @staticmethod
    def parse(stdout: str) -> "Report":
        """From the output of swap.py. `ValueError` when it does not say."""
        found = _SERVING.findall(stdout)
        if not found:
            raise ValueError("the machine did not say what it serves: run `pulumi up` again")
        model, scheme, port = found[-1]
        start, outage = (_last_number(pattern.findall(stdout)) for pattern in (_START, _OUTAGE))
        return Report(model, scheme, int(port), start, outage)


def _last_number(found: list[str]) -> int | None:
    return int(found[-1]) if found else None


class ModelServer(pulumi.ComponentResource):
    """A model that answers on an OpenAI-compatible endpoint; ready when a token came back."""

    endpoint: pulumi.Output[str]
    model: pulumi.Output[str]
    """What the machine serves, by its own word; the name as the user writes it."""
    download_seconds: pulumi.Output[int | None]
    start_seconds: pulumi.Output[int | None]
    setting_key: pulumi.Output[str]
    """Changes with all that needs a new start."""
    outage_seconds: pulumi.Output[int | None]
    """How long no model was served during the last change; None when none was served before."""

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
        setting = pulumi.Output.all(facts, args.decision).apply(
            lambda known: Setting(
                server_config(args, *known, drains=stack.vllm_version == PINNED_VLLM),
                environment_file(args.vllm_env),
                args.tls_ready is not None,
                stack.install_key,
                args.vllm_files,
            )
        )
        self.setting_key = setting.apply(lambda one: one.key)
        # Not before: a driver step may reboot the machine.
        ready = pulumi.ResourceOptions(parent=self, depends_on=stack.prepared)
        hf_token = host.put_secret(f"{name}-hf-token", "hf-token", args.hf_token, ready)
        key_file_text = pulumi.Output.secret(args.api_key).apply(lambda own: key_file(own, args.additional_api_keys))
        keys = host.put_secret(f"{name}-api-key", "api-keys", key_file_text, ready)
        log = host.put_secret(f"{name}-log", "log-megabytes", str(args.log_megabytes), ready)
        weights = host.run(
            f"{name}-weights",
            facts.apply(lambda known: download_command(known, args.hub_url)),
            triggers=[facts.apply(weights_key)],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[hf_token]),
        )
        # A setting is asked for when it can be served: an earlier request that is under way gives way to it.
        staged = host.run(
            f"{name}-setting",
            stage_command(),
            stdin=pulumi.Output.secret(setting.apply(lambda one: one.stage_input(args.start_timeout_seconds))),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[stack.installed, weights]),
        )
        certificate = [args.tls_ready] if args.tls_ready else []
        served = host.run(
            f"{name}-swap",
            setting.apply(lambda one: swap_command(one.key, args.start_timeout_seconds)),
            # Each write prints another number, so that the machine is asked after every one, also after going back.
            triggers=[pulumi.Output.unsecret(staged.stdout)],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[keys, log, staged, *certificate]),
        )
        report = pulumi.Output.unsecret(served.stdout).apply(Report.parse)
        self.model = report.apply(lambda said: said.model)
        self.download_seconds = seconds_of(weights)
        self.start_seconds = report.apply(lambda said: said.start_seconds)
        self.outage_seconds = report.apply(lambda said: said.outage_seconds)
        # The URL is known earlier, and given only when the model answers there.
        self.endpoint = pulumi.Output.all(host.ip, report).apply(
            lambda known: f"{known[1].scheme}://{known[0]}:{known[1].port}/v1"
        )
        self.register_outputs({"endpoint": self.endpoint})


def server_config(args: ModelServerArgs, facts: ModelFacts, decision: Decision, *, drains: bool = True) -> str:
    """The file for `vllm serve --config`; JSON, which is YAML. `drains` when this vLLM knows `--shutdown-timeout`."""
    flags: dict[str, Any] = {
        "model": facts.model,
        "revision": facts.commit,
        "port": args.port,
        "max-model-len": args.max_model_len,
    }
    if drains:
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
    return list(dict.fromkeys([args.model, facts.model, *map(str, more)]))


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


def stage_command() -> str:
    """Command that writes a setting, its input, beside the one that is served."""
    return f"cd {BASE} && python3 -m scripts.stage"


def swap_command(key: str, start_timeout_seconds: int) -> str:
    """Command that makes the service serve a setting.

    The machine's own limits end first, the outer one is for a machine that hangs: two starts, the second to go back,
    besides a look at the settings and the end of the old server. It is asked for anew here, and not in the job: an `up`
    for other settings may have been killed after it had written them down.
    """
    following = f"timeout {2 * start_timeout_seconds + 1800} bash {SCRIPTS}/job.sh --again swap {key}"
    swap = f"env -C {BASE} python3 -m scripts.swap"
    return f"{swap} --want {key} && {following} {swap} {key}"
