"""SSH that goes wrong on purpose, seen by OpenSSH's own client."""

from pathlib import Path

from localcloud.faults.fault import Fault
from localcloud.faults.ssh import SshTrouble
from localcloud.faults.waiting import Faults
from tests.support.polling import until_async
from tests.support.process_machine import Machine, booted, check, last_words

LOST = 255
"""OpenSSH's exit code for a lost or refused connection."""


def _ask(faults: Faults, machine: Machine, kind: str, **more: object) -> None:
    operation = "ssh-connect" if kind == "ssh-refuse" else "ssh-command"
    fields = {"operation": operation, "kind": kind, "instance": machine.spec.instance_id} | more
    faults.add(Fault.model_validate(fields), set())


def _troubled() -> Faults:
    return Faults(has_ssh=True)


def test_a_refused_connection_is_closed_and_the_next_one_is_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        faults = _troubled()
        async with (
            booted(tmp_path, faults=SshTrouble(faults)) as machine,
            booted(tmp_path, faults=SshTrouble(faults)) as other,
        ):
            _ask(faults, machine, "ssh-refuse")
            assert (await other.ssh("true")).status == 0
            assert (await machine.ssh("true")).status == LOST
            assert (await machine.ssh("true")).status == 0

    check(scenario())


def test_a_machine_that_refuses_for_a_while_listens_again_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        faults = _troubled()
        async with booted(tmp_path, faults=SshTrouble(faults)) as machine:
            _ask(faults, machine, "ssh-refuse", seconds=2)
            assert (await machine.ssh("true")).status == LOST
            refused = await machine.ssh("true")
            assert (refused.status, "Connection refused" in refused.errors) == (LOST, True), refused

            async def listens() -> bool:
                return (await machine.ssh("true")).status == 0

            await until_async(listens, every=0.2)

    check(scenario())


def test_a_session_lost_in_mid_command_hangs_up_on_the_command(tmp_path: Path) -> None:
    async def scenario() -> None:
        faults = _troubled()
        async with booted(tmp_path, faults=SshTrouble(faults)) as machine:
            _ask(faults, machine, "ssh-drop", seconds=5)
            lost = await machine.ssh("echo begun; sleep 307; echo ended")
            assert (lost.status, lost.output) == (LOST, "begun\n")
            await until_async(lambda: "307" not in last_words(machine))
            assert (await machine.ssh("echo again")).output == "again\n"

    check(scenario())


def test_a_session_is_lost_after_so_many_bytes_of_output(tmp_path: Path) -> None:
    async def scenario() -> None:
        faults = _troubled()
        async with booted(tmp_path, faults=SshTrouble(faults)) as machine:
            _ask(faults, machine, "ssh-drop", after_bytes=100_000)
            lost = await machine.ssh("head -c 10000000 /dev/zero; sleep 308")
            assert lost.status == LOST
            assert len(lost.output) <= 100_000

    check(scenario())
