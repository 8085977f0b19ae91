"""What one may rely on over SSH to a `process` machine."""

import asyncio
import os
import shutil
from pathlib import Path

import asyncssh
import pytest
from asyncssh.packet import String

from tests.support.process_machine import Result, booted, check, free_port, http_get

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs an OpenSSH client")


def test_commands_run_as_over_any_ssh(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            assert await machine.ssh("echo hi; echo oh >&2") == Result(0, "hi\n", "oh\n")
            assert (await machine.ssh("exit 3")).status == 3
            assert (await machine.ssh("wc -c </dev/stdin", stdin=b"x" * 1_000_000)).output.strip() == "1000000"
            assert len((await machine.ssh("head -c 1000000 /dev/zero")).output) == 1_000_000
            assert (await machine.ssh("pwd")).output.strip() == str(machine.home)
            answers = await asyncio.gather(*(machine.ssh(f"sleep 0.3; echo {n}") for n in range(8)))
            assert [answer.output for answer in answers] == [f"{n}\n" for n in range(8)]

    check(scenario())


def test_shell_without_a_command_reads_its_input_as_a_login_shell(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            result = await machine.run(
                *machine.ssh_command("-T"), stdin=b"command -v systemctl; shopt login_shell\nexit 4\n"
            )
            assert result.status == 4
            assert result.output.split() == [f"{machine.home.parents[1]}/bin/systemctl", "login_shell", "on"]

    check(scenario())


def test_a_person_gets_a_terminal(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine, await machine.connect() as connection:
            process = await connection.create_process(term_type="vt100", term_size=(101, 37), encoding="utf-8")
            process.stdin.write("sh -c 'stty size; echo =$TERM=; exec sleep 100'\n")
            greeting = await asyncio.wait_for(process.stdout.readuntil("=vt100="), 10)
            assert "37 101" in greeting
            process.change_terminal_size(80, 25)
            process.stdin.write("\x03stty size; exit 6\n")
            rest = await asyncio.wait_for(process.stdout.read(), 10)
            assert "25 80" in rest
            assert (await process.wait()).exit_status == 6

    check(scenario())


def test_signals_and_deaths_by_signal_are_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine, await machine.connect() as connection:
            process = await connection.create_process("cat; echo up; exec sleep 100")
            process.stdin.write_eof()
            await process.stdout.readline()
            process.send_signal("TERM")
            completed = await asyncio.wait_for(process.wait(), 10)
            assert completed.exit_signal is not None
            assert completed.exit_signal[0] == "TERM"

    check(scenario())


def test_only_ubuntu_with_an_authorized_key_gets_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine, booted(tmp_path) as stranger:
            assert "Permission denied" in (await machine.ssh("true", user="root")).errors
            machine.key = stranger.key
            assert "Permission denied" in (await machine.ssh("true")).errors
            with (machine.home / ".ssh" / "authorized_keys").open("a") as keys:
                keys.write("# added by hand\nno key at all\n" + stranger.spec.authorized_keys[0])
            assert (await machine.ssh("true")).status == 0
            (machine.home / ".ssh" / "authorized_keys").write_text("")
            assert "Permission denied" in (await machine.ssh("true")).errors

    check(scenario())


def test_user_data_is_applied_before_the_first_login(tmp_path: Path) -> None:
    host = asyncssh.generate_private_key("ssh-ed25519")
    guest = asyncssh.generate_private_key("ssh-ed25519")
    private = "".join(f"    {line}\n" for line in host.export_private_key().decode().splitlines())
    user_data = f"""#cloud-config
ssh_keys:
  ed25519_private: |
{private}  ed25519_public: {host.export_public_key().decode()}
ssh_authorized_keys: ["{guest.export_public_key().decode().strip()}"]
write_files: [{{path: /home/ubuntu/a/b, content: there, permissions: '0600'}}]
runcmd: ['until [ -e go ]; do sleep 0.1; done', 'echo "$LOCALCLOUD_INSTANCE" >ran']
packages: [nginx]
"""

    async def scenario() -> None:
        async with booted(tmp_path, user_data) as machine:
            known = asyncssh.import_known_hosts(f"[{machine.spec.ip}]:2222 {host.export_public_key().decode()}")
            async with asyncssh.connect(
                machine.spec.ip, 2222, username="ubuntu", client_keys=[guest], known_hosts=known, config=None
            ) as connection:
                assert (await connection.run("cat a/b; stat -c %a a/b")).stdout == "there600\n"
                assert (await connection.run("cloud-init status")).stdout == "status: running\n"
                (machine.home / "go").touch()
                assert (await connection.run("cloud-init status --wait")).stdout == "status: done\n"
                assert (await connection.run("cat ran")).stdout == f"{machine.spec.instance_id}\n"
            log = machine.home.parents[1] / "var" / "log" / "cloud-init.log"
            assert log.read_text() == "not honoured: packages\n"

    check(scenario())


def test_broken_user_data_does_not_stop_the_boot(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path, "#cloud-config\n[") as machine:
            assert (await machine.ssh("cloud-init status --wait")).output == "status: done\n"

    check(scenario())


def test_environment_is_the_machines_and_not_the_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_SECRET": "x", "PYTHONPATH": "/x", "XDG_CONFIG_HOME": "/x", "LC_ALL": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("UV_CACHE_DIR", "/somewhere/uv")

    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            lines = (await machine.run("env", "-u", "LC_ALL", *machine.ssh_command("env"))).output.splitlines()
            found = dict(line.split("=", 1) for line in lines)
            assert not found.keys() & {"AWS_SECRET", "PYTHONPATH", "XDG_CONFIG_HOME", "LC_ALL", "VIRTUAL_ENV"}
            assert found["HTTPS_PROXY"] == "http://proxy.test:3128"
            assert machine.spec.ip in found["NO_PROXY"].split(",")
            assert found["UV_CACHE_DIR"] == "/somewhere/uv"
            assert found["BIND_ADDRESS"] == machine.spec.ip
            assert found["HOME"] == str(machine.home)
            assert found["USER"] == found["LOGNAME"] == "ubuntu"

    check(scenario())


def test_a_command_finds_what_sshd_of_ubuntu_sets(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            for folder in (".local/bin", "bin"):
                (machine.home / folder).mkdir(parents=True)
            found = (await machine.ssh("echo $PATH $LANG $SHELL; umask; echo $SSH_CONNECTION")).output.splitlines()
            system = (
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:/usr/local/games:/snap/bin"
            )
            assert found[0] == f"{machine.home.parents[1]}/bin:{system} C.UTF-8 /bin/bash"
            assert found[1] == "0002"
            assert found[2].split()[2:] == [machine.spec.ip, "2222"]
            runtime = (await machine.ssh("stat -c '%a %F' $XDG_RUNTIME_DIR")).output
            assert runtime == "700 directory\n"
            # Only a login shell adds what the user installs.
            login = await machine.run(*machine.ssh_command("-T"), stdin=b"echo $PATH; echo ${SSH_CLIENT##* }\n")
            assert login.output.splitlines()[0].startswith(f"{machine.home}/.local/bin:{machine.home.parents[1]}/bin:")
            assert login.output.splitlines()[1] == "2222"

    check(scenario())


def test_client_may_set_its_locale_and_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine, await machine.connect() as connection:
            process = await connection.create_process("echo $LC_TIME-$HF_TOKEN", env={"LC_TIME": "de", "HF_TOKEN": "x"})
            # A client that waits for the answer, as Go's does, is to hear the refusal.
            asked = process.channel._make_request(b"env", String("HF_TOKEN"), String("x"))
            assert await asked is False
            assert (await process.wait()).stdout == "de-\n"

    check(scenario())


def test_files_are_put_relative_to_the_home(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine, await machine.connect() as connection:
            source, batch = tmp_path / "source", tmp_path / "batch"
            source.write_bytes(os.urandom(300_000))
            batch.write_text(f"mkdir one\nput {source} one/real\nget one/real {tmp_path}/back\n")
            program = ["sftp", *machine.options, "-P", "2222", "-b", str(batch), f"ubuntu@{machine.spec.ip}"]
            assert (await machine.run(*program)).status == 0
            assert (machine.home / "one" / "real").read_bytes() == source.read_bytes()
            assert (tmp_path / "back").read_bytes() == source.read_bytes()
            async with connection.start_sftp_client() as sftp:
                assert await sftp.realpath(".") == str(machine.home)
                await sftp.put(str(source), str(tmp_path / "absolute"))
            assert (tmp_path / "absolute").read_bytes() == source.read_bytes()

    check(scenario())


def test_tunnel_to_localhost_reaches_the_machine_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            (machine.home / "marker-of-this-machine").touch()
            remote, local = free_port(machine.spec.ip), free_port("127.0.0.1")
            await machine.ssh(f"setsid python3 -m http.server --bind $BIND_ADDRESS {remote} >/dev/null 2>&1 &")
            await http_get(machine.spec.ip, remote)
            tunnel = await asyncio.create_subprocess_exec(
                *machine.ssh_command("-N", "-L", f"127.0.0.1:{local}:localhost:{remote}")
            )
            try:
                assert "marker-of-this-machine" in await http_get("127.0.0.1", local)
            finally:
                tunnel.terminate()
                await tunnel.wait()

    check(scenario())
