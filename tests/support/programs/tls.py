"""A machine with TLS and a small endpoint behind it, looked at from this computer: the program of the tests of TLS."""

from pathlib import Path

import pulumi

from components.machine.gpu_machine import GpuMachine, GpuMachineArgs
from components.machine.host import SCRIPTS, SETTINGS
from components.tls.tls import Tls, TlsArgs
from components.vllm.endpoint_check.resource import EndpointCheck
from components.vllm.stack import FOLDER
from tests.support.tls_endpoint import KEY, MODEL

PORT = 8000
PROGRAM = Path(__file__).resolve().parents[1] / "tls_endpoint.py"

config = pulumi.Config()
cidrs = config.get_object("allowedCidrs") or []
machine = GpuMachine(
    "machine",
    GpuMachineArgs(
        name="tls",
        instance_types=["gpu_1x_gh200"],
        regions=["us-east-3"],
        open_port=PORT,
        allowed_cidrs=cidrs,
        ssh_port=2222,
    ),
)
files = (*(FOLDER / name for name in ("__init__.py", "certificate.py", "trust.py")), PROGRAM)
scripts = [machine.host.put(file.name, file) for file in files]
is_on = config.get("tls") != "off"
tls = Tls("tls", machine.host, TlsArgs("tls-test", PORT, is_on, scripts))
served = machine.host.run(
    "serve",
    # Told once more by the same program, it would find the port taken.
    f"touch {SETTINGS}/api-keys; (setsid python3 {SCRIPTS}/tls_endpoint.py {PORT} >/dev/null 2>&1 </dev/null &) ; "
    f"for i in $(seq 300); do python3 -c 'import os, socket; "
    f'socket.create_connection((os.environ.get("BIND_ADDRESS", "127.0.0.1"), {PORT}))\' 2>/dev/null && exit; '
    "sleep 0.1; done; exit 1",
    opts=pulumi.ResourceOptions(depends_on=[tls.ready] if tls.ready else scripts),
)
if is_on:
    # The small endpoint goes on with TLS where that is off.
    check = EndpointCheck(
        "check",
        {
            "ip": machine.ip,
            "port": PORT,
            "model": config.get("model") or MODEL,
            "api_key": pulumi.Output.secret(KEY),
            "ca_certificate": tls.ca_certificate,
            "allowed_cidrs": cidrs,
            "ssh_port": 2222,
            "private_key": pulumi.Output.secret(machine.key.private_key),
            "public_host_key": machine.host_key.public_key,
            "served": tls.serial,
        },
        pulumi.ResourceOptions(depends_on=[served]),
    )
    pulumi.export("ca_certificate", tls.ca_certificate)
    pulumi.export("reachable", check.reachable)
pulumi.export("instance_id", machine.instance.id)
pulumi.export("ip", machine.ip)
pulumi.export("serial", tls.serial)
