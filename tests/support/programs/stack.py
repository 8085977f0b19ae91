"""vLLM and a model's weights on a machine, and no server: the program of the tests of faults on the way there."""

import os

import pulumi

from components.lambda_cloud.filesystem.resource import Filesystem
from components.machine.access import Access, AccessArgs
from components.machine.gpu_machine import GpuMachine, GpuMachineArgs
from components.model.facts import ModelFacts
from components.on_machine.shared.secret_input import with_end
from components.vllm.server import download_command, weights_key
from components.vllm.stack import VllmStack, VllmStackArgs, seconds_of

config = pulumi.Config()
REGIONS = ["us-east-3"]
named = config.get("filesystem")
filesystem = Filesystem("filesystem", {"name": named, "region": "us-east-3"}) if named else None
machine = GpuMachine(
    "machine",
    GpuMachineArgs(
        name="faults",
        access=Access("machine", AccessArgs("faults", REGIONS, 2222)),
        instance_types=["gpu_1x_gh200"],
        regions=REGIONS,
        filesystem_names=[filesystem.name] if filesystem else [],
    ),
)
# As the main program has it.
cache = filesystem.mount_point.apply(lambda folder: f"{folder}/lambda-vllm") if filesystem else None
stack = VllmStack("vllm", machine, VllmStackArgs(cache=cache))
facts = ModelFacts.from_json(config.require("facts"))
# As ModelServer has them.
weights = machine.host.run(
    "weights",
    download_command(facts, config.require("hfEndpoint")),
    triggers=[weights_key(facts)],
    stdin=pulumi.Output.secret(with_end(os.environ["HF_TOKEN"])),
    after=[stack.ready],
    is_job=True,
)
pulumi.export("instance_id", machine.instance.id)
pulumi.export("install_seconds", stack.install_seconds)
pulumi.export("download_seconds", seconds_of(weights.stdout))
