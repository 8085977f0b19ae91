"""A first `up` that failed leaves no outputs, and a machine that one has to look into."""

import asyncio

import pytest

from tests.support.ops_stack import OpsStack
from tests.support.process_machine import Result
from tests.support.pulumi_project import Project


def ops(made: Project, *words: str) -> Result:
    return asyncio.run(OpsStack(made.folder, made.environment).ops(*words))


@pytest.fixture
def failed(machine_project: Project) -> Project:
    """The machine is there, and a command on it has failed."""
    machine_project.configure(greeting="none; exit 7; :")
    machine_project.up(succeeds=False)
    assert machine_project.pulumi("stack", "output", "--json").output.strip() == "{}"
    return machine_project


def test_the_machine_of_a_first_up_that_failed_is_reached_without_outputs(failed: Project) -> None:
    done = ops(failed, "ssh", "echo 'in a  word'; cat /nothing; exit 3")
    assert (done.status, done.output) == (3, "in a  word\n"), done.errors
    done = ops(failed, "ssh", "printf", "%s", "$USER")
    assert (done.status, done.output) == (0, "ubuntu"), done.errors
    done = ops(failed, "logs")
    assert (done.status, done.errors) == (1, "ops: there is no vllm.log on the machine yet\n")
    done = ops(failed, "chat", "--prompt", "x")
    assert done.errors.startswith("ops: the stack has no output endpoint: the model is not served yet")
    # Its key is in the state, and nowhere in the clear.
    assert "PRIVATE KEY" not in failed.pulumi("stack", "export").output
    failed.configure(greeting="hello")
    failed.up()
    assert ops(failed, "ssh", "true").status == 0
    failed.pulumi("preview", "--expect-no-changes")
    failed.destroy()
    assert ops(failed, "ssh").errors.startswith("ops: the stack has no outputs yet: run `pulumi up`")
