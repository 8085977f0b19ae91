"""A machine with TLS and a small endpoint behind it, looked at from this computer: the program of the tests of TLS."""

from pathlib import Path

import pulumi

from components.machine.access import Access, AccessArgs
from components.machine.gpu_machine import GpuMachine, GpuMachineArgs
from components.on_machine.shared.paths import SETTINGS
from components.tls.authority.resource import CertificateAuthority
from components.tls.certificate.resource import ServerCertificate
from components.vllm.endpoint_check.resource import EndpointCheck
from components.vllm.programs import PROGRAMS
from components.vllm.stack import VllmStackArgs, json_input, prepare_command, ready_command
from tests.support.tls_endpoint import KEY, MODEL

PORT = 8000
REGIONS = ["us-east-3"]
PROGRAM = Path(__file__).resolve().parents[1] / "tls_endpoint.py"

config = pulumi.Config()
cidrs = config.get_object("allowedCidrs") or []
machine = GpuMachine(
    "machine",
    GpuMachineArgs(
        name="tls",
        access=Access("machine", AccessArgs("tls", REGIONS, 2222, PORT, cidrs)),
        instance_types=["gpu_1x_gh200"],
        regions=REGIONS,
    ),
)
host = machine.host
prepared = host.run(
    "prepare",
    prepare_command(VllmStackArgs()),
    stdin=machine.booted_at.apply(lambda at: json_input(at=at, cache="")),
    after=[host.put("programs", PROGRAMS)],
)
# It holds the key.
program = host.run("program", "cat > tls_endpoint.py", stdin=pulumi.Output.secret(PROGRAM.read_text()))
is_on = config.get("tls") != "off"
authority = CertificateAuthority("tls-authority", {"name": "tls-test"})
ca_certificate = pulumi.Output.unsecret(authority.certificate)
certificate = None
if is_on:
    certificate = ServerCertificate(
        "tls-certificate",
        {
            "ip": host.ip,
            "ca_certificate": authority.certificate,
            "ca_private_key": pulumi.Output.secret(authority.private_key),
        },
    )
pem = pulumi.Output.secret(certificate.pem if certificate else "")
ready = host.run(
    "tls-files",
    ready_command(VllmStackArgs()),
    stdin=pem.apply(lambda text: json_input(port=PORT, certificate=text)),
    after=[prepared],
)
serial = certificate.serial if certificate else pulumi.Output.from_input("")
served = host.run(
    "serve",
    # Told once more by the same program, it would find the port taken.
    f"mkdir -p {SETTINGS}; touch {SETTINGS}/api-keys; "
    f"(setsid python3 tls_endpoint.py {PORT} >/dev/null 2>&1 </dev/null &) ; "
    f"for i in $(seq 300); do python3 -c 'import os, socket; "
    f'socket.create_connection((os.environ.get("BIND_ADDRESS", "127.0.0.1"), {PORT}))\' 2>/dev/null && exit; '
    "sleep 0.1; done; exit 1",
    after=[ready, program],
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
            "ca_certificate": ca_certificate,
            "allowed_cidrs": cidrs,
            "ssh_port": 2222,
            "private_key": pulumi.Output.secret(machine.access.key.private_key),
            "public_host_key": machine.host_key.public_key,
            "served": serial,
        },
        pulumi.ResourceOptions(depends_on=[served]),
    )
    pulumi.export("ca_certificate", ca_certificate)
    pulumi.export("reachable", check.reachable)
pulumi.export("instance_id", machine.instance.id)
pulumi.export("ip", machine.ip)
pulumi.export("serial", serial)
