"""Keys and hosts that cannot be used, and the patience of a dial; nothing is connected to."""

import asyncio
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from scripts.command_plugin import dial as dialling
from scripts.command_plugin.errors import RemoteError
from scripts.command_plugin.inputs import Connection


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


class RefusingHost:
    """Stands for `asyncssh.connect` and `asyncio.sleep`: refuses some dials and notes what was asked and waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusals: int = 1000) -> None:
        self.options: list[dict[str, Any]] = []
        self.delays: list[float] = []
        self._refusals = refusals
        monkeypatch.setattr(asyncssh, "connect", self._connect)
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    async def _connect(self, **options: Any) -> str:
        self.options.append(options)
        if len(self.options) <= self._refusals:
            raise ConnectionRefusedError("refused")
        return "connected"

    async def _sleep(self, seconds: float) -> None:
        self.delays.append(seconds)


def dial(**settings: Any) -> list[str]:
    """The status messages of a dial with these connection settings that succeeds in the end."""
    messages: list[str] = []

    async def status(message: str) -> None:
        messages.append(message)

    asyncio.run(dialling.dial(Connection.model_validate({"host": "h", **settings}), status))
    return messages


def test_limit_counts_retried_failures_and_the_error_names_user_host_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    host = RefusingHost(monkeypatch)
    with pytest.raises(RemoteError, match=r"^after 10 failed attempts: ssh ubuntu@h:22: refused$"):
        dial(user="ubuntu")
    assert len(host.options) == 11


def test_unlimited_dial_slows_down_to_five_seconds_and_says_so_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    host = RefusingHost(monkeypatch, refusals=20)
    messages = dial(dialErrorLimit=-1)
    assert messages[0] == "Dial 1/inf failed: retrying"
    assert len(messages) == 20
    assert host.delays[:3] == pytest.approx([0.1, 0.15, 0.225])
    assert host.delays[-1] == 5.0


def test_only_the_given_key_is_offered_and_no_configuration_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    host = RefusingHost(monkeypatch, refusals=0)
    dial(privateKey=key.export_private_key().decode(), perDialTimeout=0)
    (options,) = host.options
    assert [one.public_data for one in options["client_keys"]] == [key.public_data]
    assert options["agent_path"] is options["config"] is options["known_hosts"] is options["connect_timeout"] is None


def test_without_any_key_those_of_the_user_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    host = RefusingHost(monkeypatch, refusals=0)
    dial(password="p")
    assert host.options[0]["client_keys"] is None


def test_host_key_is_the_only_trusted_one(monkeypatch: pytest.MonkeyPatch) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    host = RefusingHost(monkeypatch, refusals=0)
    dial(hostKey=key.export_public_key().decode())
    trusted, authorities, revoked = host.options[0]["known_hosts"]
    assert [one.public_data for one in trusted] == [key.public_data]
    assert authorities == revoked == []


@pytest.mark.parametrize(
    ("settings", "name"), [({"privateKey": "no key"}, "privateKey"), ({"hostKey": "no key"}, "hostKey")]
)
def test_key_that_cannot_be_read_fails_without_a_dial_and_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], name: str
) -> None:
    host = RefusingHost(monkeypatch)
    with pytest.raises(RemoteError, match=f"connection.{name}") as failure:
        dial(**settings)
    assert "no key" not in str(failure.value)
    assert host.options == []


def test_encrypted_key_opens_with_its_password_only(monkeypatch: pytest.MonkeyPatch) -> None:
    encrypted = asyncssh.generate_private_key("ssh-ed25519").export_private_key("pkcs8-pem", passphrase="open").decode()
    RefusingHost(monkeypatch, refusals=0)
    dial(privateKey=encrypted, privateKeyPassword="open")
    with pytest.raises(RemoteError, match=r"connection\.privateKey"):
        dial(privateKey=encrypted)


def test_stale_agent_of_the_environment_is_passed_over_and_a_named_one_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stale = str(tmp_path / "agent")
    monkeypatch.setenv("SSH_AUTH_SOCK", stale)
    RefusingHost(monkeypatch, refusals=0)
    dial()
    with pytest.raises(RemoteError, match=r"agentSocketPath .* no SSH agent answers"):
        dial(agentSocketPath=stale)


def test_work_is_ended_by_a_cancellation_and_by_its_timeout() -> None:
    async def endless() -> None:
        await asyncio.Event().wait()

    async def cancelled() -> None:
        event = asyncio.Event()
        event.set()
        await dialling.within(endless(), event, None)

    with pytest.raises(RemoteError, match="cancelled"):
        asyncio.run(cancelled())
    with pytest.raises(RemoteError, match=r"timeout of 0\.01 s"):
        asyncio.run(dialling.within(endless(), asyncio.Event(), 0.01))
