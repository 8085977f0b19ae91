"""One machine and one command on it: the program of the engine tests, which need no vLLM."""

import pulumi

from components.machine.gpu_machine import GpuMachine, GpuMachineArgs

config = pulumi.Config()
machine = GpuMachine(
    "machine",
    GpuMachineArgs(
        name="engine-test",
        instance_types=["gpu_1x_gh200"],
        regions=["us-east-3"],
        image_family=config.get("imageFamily") or "lambda-stack-24-04",
        open_port=8000,
        allowed_cidrs=config.get_object("allowedCidrs") or [],
        ssh_port=2222,
    ),
)
greeting = machine.host.run("greeting", f"echo {config.get('greeting') or 'hello'} from $(hostname)")
machine.host.put_secret("secret", "secret", config.get("secret") or "")
pulumi.export("instance_id", machine.instance.id)
pulumi.export("ip", machine.ip)
pulumi.export("greeting", greeting.stdout)
