"""What programs load, and when: it is on the way of every run."""

import ast
import subprocess
import sys

import pytest

from tests.support.pulumi_cli import REPOSITORY

SCRIPT = """
import sys
from components.lambda_cloud.boot_wait import resource as boot
from components.lambda_cloud.filesystem import resource as filesystem
from components.lambda_cloud.firewall import resource as firewall
from components.lambda_cloud.global_rules import resource as global_rules
from components.lambda_cloud.instance import resource as instance
from components.lambda_cloud.launch_token import resource as launch_token
from components.lambda_cloud.ssh_key import resource as ssh_key
from components.lambda_cloud.stack_mark import resource as stack_mark
from components.machine.key_pair import resource as keys
from components.vllm.api_key import resource as api_key
from components.tls.authority import resource as certificate_authority
from components.vllm.endpoint_check import resource as endpoint_check
from components.model.pin import resource as model_pin
from components.tls.certificate import resource as server_certificate
print([name for name in ("pydantic", "requests", "asyncssh", "cryptography") if name in sys.modules])
"""

NOT_FOR_THE_PROGRAM = ("asyncssh", "cryptography", "huggingface_hub", "httpx2", "prometheus_client")
"""What only providers, `ops` and the first question to the hub need."""


def imports_of_the_program() -> str:
    body = ast.parse((REPOSITORY / "__main__.py").read_text()).body
    return "\n".join(ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom))


def test_the_program_itself_loads_no_provider_and_nothing_that_a_run_without_changes_does_without() -> None:
    code = (
        f"{imports_of_the_program()}\nimport sys\n"
        f"print([name for name in sys.modules if name.partition('.')[0] in {NOT_FOR_THE_PROGRAM!r}"
        " or name.startswith('components.') and name.endswith('.provider')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_declaring_resources_loads_neither_their_providers_nor_what_those_need() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("module", ["ops.__main__", "components.vllm.endpoint_check.provider"])
def test_asyncssh_is_loaded_by_those_who_open_a_tunnel_and_by_nobody_before(module: str) -> None:
    code = f"import sys, {module}; print('asyncssh' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr


def test_the_library_is_loaded_by_the_first_question_and_not_before() -> None:
    command = "import sys, components.vllm.preflight.__main__; print({'huggingface_hub', 'httpx2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
