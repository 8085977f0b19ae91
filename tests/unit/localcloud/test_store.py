"""The account on disk and in memory: both say the same, whatever happened between."""

import sqlite3
from pathlib import Path

import pytest

from localcloud.account.records import SshKeyRecord
from localcloud.account.store import Store


def key(name: str) -> SshKeyRecord:
    return SshKeyRecord(id=name, name=name, public_key="ssh-ed25519 AAAA")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cloud.sqlite"


def test_what_is_written_is_read_in_the_order_of_first_writing_now_and_after_a_restart(path: Path) -> None:
    store = Store(path)
    for name in ("c", "a", "b"):
        store.ssh_keys.put(key(name))
    changed = key("c").model_copy(update={"public_key": "ssh-ed25519 BBBB"})
    store.ssh_keys.put(changed)
    store.ssh_keys.delete("a")
    expected = [changed, key("b")]
    assert store.ssh_keys.all() == expected
    store.close()
    again = Store(path)
    assert again.ssh_keys.all() == expected
    assert again.ssh_keys.get("c") == changed
    again.close()


def test_writes_of_a_transaction_that_failed_are_nowhere(path: Path) -> None:
    store = Store(path)
    store.ssh_keys.put(key("before"))

    def fail() -> None:
        with store.transaction():
            store.ssh_keys.put(key("within"))
            store.ssh_keys.delete("before")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.ssh_keys.all() == [key("before")]
    store.close()


def test_a_transaction_within_another_is_undone_with_it(path: Path) -> None:
    store = Store(path)

    def fail() -> None:
        with store.transaction():
            with store.transaction():
                store.ssh_keys.put(key("within"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.ssh_keys.all() == []
    store.close()


def test_a_write_that_the_disk_refuses_is_not_in_memory_either(path: Path) -> None:
    store = Store(path)
    store.ssh_keys.put(key("before"))
    # A second connection that writes keeps the first one from it, as a disk that is full would.
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._connection.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(sqlite3.OperationalError):
        store.ssh_keys.put(key("after"))
    assert store.ssh_keys.all() == [key("before")]
    other.close()
    store.close()
