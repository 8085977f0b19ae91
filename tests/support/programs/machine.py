"""One machine and one command on it: the program of the engine tests, which need no vLLM."""

import pulumi

from components.dynamic.change_marker.resource import ChangeMarker
from components.machine.access import Access, AccessArgs
from components.machine.gpu_machine import GpuMachine, GpuMachineArgs

REGIONS = ["us-east-3"]
WRITE = "umask 077 && mkdir -p .config/lambda-vllm && cat > secret.new && mv secret.new .config/lambda-vllm/secret"

config = pulumi.Config()
allowed = config.get_object("allowedCidrs") or []
machine = GpuMachine(
    "machine",
    GpuMachineArgs(
        name="engine-test",
        access=Access("machine", AccessArgs("engine-test", REGIONS, 2222, 8000, allowed)),
        instance_types=["gpu_1x_gh200"],
        regions=REGIONS,
        image_family=config.get("imageFamily") or "lambda-stack-24-04",
    ),
)
greeting = machine.host.run("greeting", f"echo {config.get('greeting') or 'hello'} from $(hostname)")
secret = pulumi.Output.secret(config.get("secret") or "")
mark = ChangeMarker("secret-change", secret)
machine.host.run("secret", WRITE, stdin=secret, triggers=[pulumi.Output.unsecret(mark.revision)])
pulumi.export("instance_id", machine.instance.id)
pulumi.export("ip", machine.ip)
pulumi.export("greeting", greeting.stdout)
