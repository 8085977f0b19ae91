"""An account that answers at once, for tests of what the program makes of Lambda's answers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.lambda_cloud.api import client
from components.lambda_cloud.provider import LambdaProvider
from tests.support.emulated import PUBLIC_KEY, EmulatedCloud, emulated_cloud
from tests.support.orders import H100


@pytest.fixture
def account(tmp_path: Path) -> Iterator[EmulatedCloud]:
    """An account with nothing in it."""
    with emulated_cloud(tmp_path) as running:
        yield running


@pytest.fixture
def cloud(account: EmulatedCloud) -> EmulatedCloud:
    """An account in which `ORDER` can be launched: the key, and both candidates to be had."""
    account.client.add_ssh_key("key", PUBLIC_KEY)
    account.control("PUT", "/capacity", {"instance_type": H100.instance_type, "regions": [H100.region]})
    account.control("DELETE", "/requests")
    return account


@pytest.fixture
def plugin(account: EmulatedCloud, monkeypatch: pytest.MonkeyPatch) -> EmulatedCloud:
    """The account that every provider works for, with a client that keeps to no rate limit."""
    monkeypatch.setattr(LambdaProvider, "client", account.client)
    # A refresh is another process, with no list yet; here it asks anew.
    monkeypatch.setattr(client, "RECENT_IN_POLLS", 0.0)
    return account


@pytest.fixture
def end_at_first_pause(cloud: EmulatedCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has an instance live until the program pauses: what it holds is refused once, however slow this computer is."""

    def end(instance_id: str) -> None:
        living = [instance_id]

        def pause() -> None:
            if living:
                cloud.client.terminate(living.pop())
            else:
                cloud.clock.sleep(cloud.client.limits.poll_interval)

        monkeypatch.setattr(cloud.client, "pause", pause)

    return end
