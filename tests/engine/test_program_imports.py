"""What a program loads that only declares resources: it is on the way of every run."""

import subprocess
import sys

from tests.engine.pulumi_cli import REPOSITORY

SCRIPT = """
import sys
from components.cloud import boot, filesystem, firewall, global_rules, instance, launch_token, ssh_key, stack_mark
from components.machine import keys
from components.vllm import api_key, certificate_authority, endpoint_check, model_pin, server_certificate
print([name for name in ("pydantic", "requests", "asyncssh", "cryptography") if name in sys.modules])
"""


def test_declaring_resources_loads_neither_their_providers_nor_what_those_need() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
