"""vLLM and a model's weights on a machine, and no server: the program of the tests of faults on the way there."""

import os

import pulumi

from components.lambda_cloud.filesystem.resource import Filesystem
from components.machine.gpu_machine import GpuMachine, GpuMachineArgs
from components.model.facts import ModelFacts
from components.vllm.server import download_command, weights_key
from components.vllm.stack import VllmStack, VllmStackArgs

config = pulumi.Config()
named = config.get("filesystem")
filesystem = Filesystem("filesystem", {"name": named, "region": "us-east-3"}) if named else None
machine = GpuMachine(
    "machine",
    GpuMachineArgs(
        name="faults",
        instance_types=["gpu_1x_gh200"],
        regions=["us-east-3"],
        ssh_port=2222,
        filesystem_names=[filesystem.name] if filesystem else [],
    ),
)
# As the main program has it.
cache = filesystem.mount_point.apply(lambda folder: f"{folder}/lambda-vllm") if filesystem else None
stack = VllmStack("vllm", machine.host, VllmStackArgs(cache=cache))
facts = ModelFacts.from_json(config.require("facts"))
# As the component ModelServer has them.
token = machine.host.put_secret("hf-token", "hf-token", os.environ["HF_TOKEN"])
weights = machine.host.run(
    "weights",
    download_command(facts, config.require("hfEndpoint")),
    triggers=[weights_key(facts)],
    opts=pulumi.ResourceOptions(depends_on=[*stack.prepared, token]),
)
pulumi.export("instance_id", machine.instance.id)
pulumi.export("installed", stack.installed.stdout)
pulumi.export("downloaded", weights.stdout)
