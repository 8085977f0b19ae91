"""The account on disk: SQLite with a write-ahead log. A write that returned outlives `kill -9`."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from localcloud.account.audit import AuditLog
from localcloud.account.records import (
    CapacityRecord,
    DriftRecord,
    FabricPartitionRecord,
    FilesystemRecord,
    FirewallRule,
    GlobalRulesRecord,
    InstanceRecord,
    LaunchCountRecord,
    PriceRecord,
    QuotaRecord,
    Record,
    RulesetRecord,
    SshKeyRecord,
)
from localcloud.errors import LocalCloudError

R = TypeVar("R", bound=Record)

GLOBAL_RULES = GlobalRulesRecord(
    rules=[
        FirewallRule(
            protocol="tcp",
            port_range=(22, 22),
            source_network="0.0.0.0/0",
            description="Allow SSH connections from any IP",
        ),
        FirewallRule(protocol="icmp", source_network="0.0.0.0/0", description="Allow Ping from any IP"),
    ]
)
"""What a new account lets in; seen live at Lambda in 2026."""


class Table(Generic[R]):
    """Records of one kind, in the order in which they were first written.

    They are read from disk once and kept in memory: this process alone writes to the file, and records never change.
    """

    def __init__(self, connection: sqlite3.Connection, name: str, record: type[R]) -> None:
        self._connection = connection
        self._record = record
        self._all = f"SELECT id, body FROM {name} ORDER BY rowid"  # noqa: S608  # the names are the ones in Store
        self._put = f"INSERT INTO {name} (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body"  # noqa: S608
        self._delete = f"DELETE FROM {name} WHERE id = ?"  # noqa: S608
        self._known: dict[str, R] | None = None
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} (id TEXT PRIMARY KEY, body TEXT NOT NULL)")

    def get(self, record_id: str) -> R | None:
        """The record with this id."""
        return self._records().get(record_id)

    def all(self) -> list[R]:
        """Every record."""
        return list(self._records().values())

    def put(self, record: R) -> None:
        """Write a record, new or changed."""
        self._connection.execute(self._put, (record.id, record.model_dump_json()))
        self._records()[record.id] = record

    def delete(self, record_id: str) -> None:
        """Remove a record; one that is not there is fine."""
        self._connection.execute(self._delete, (record_id,))
        self._records().pop(record_id, None)

    def forget(self) -> None:
        """Read from disk again, after writes were undone there."""
        self._known = None

    def _records(self) -> dict[str, R]:
        if self._known is None:
            rows = self._connection.execute(self._all)
            self._known = {record_id: self._record.model_validate_json(body) for record_id, body in rows}
        return self._known


class Store:
    """The account.

    Raises:
        LocalCloudError: the file is not a database of this program.
    """

    def __init__(self, path: Path) -> None:
        # User data may hold secrets. The write-ahead log gets the same permissions from SQLite.
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._tables: list[Table[Any]] = []
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            # Enough for a killed process; only a crash of the whole computer may lose the last writes.
            self._connection.execute("PRAGMA synchronous = NORMAL")
            with self.transaction():
                self.instances = self._table("instances", InstanceRecord)
                self.ssh_keys = self._table("ssh_keys", SshKeyRecord)
                self.filesystems = self._table("filesystems", FilesystemRecord)
                self.fabric_partitions = self._table("fabric_partitions", FabricPartitionRecord)
                self.rulesets = self._table("rulesets", RulesetRecord)
                self.capacity = self._table("capacity", CapacityRecord)
                self.prices = self._table("prices", PriceRecord)
                self.drift = self._table("drift", DriftRecord)
                self.quotas = self._table("quotas", QuotaRecord)
                self.launches = self._table("launches", LaunchCountRecord)
                self.audit = AuditLog(self._connection)
                self._global_rules = self._table("global_rules", GlobalRulesRecord)
        except sqlite3.DatabaseError as error:
            raise LocalCloudError(f"{path} cannot be read ({error}); `down` clears the state away") from None

    def _table(self, name: str, record: type[R]) -> Table[R]:
        table = Table(self._connection, name, record)
        self._tables.append(table)
        return table

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block or none; within another one it is a part of that one.

        The block must not await: there is one connection.
        """
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk may have undone it already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            for table in self._tables:
                table.forget()
            raise

    @property
    def global_rules(self) -> list[FirewallRule]:
        """The firewall rules of every region."""
        record = self._global_rules.get(GLOBAL_RULES.id) or GLOBAL_RULES
        return record.rules

    @global_rules.setter
    def global_rules(self, rules: list[FirewallRule]) -> None:
        self._global_rules.put(GlobalRulesRecord(rules=rules))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
