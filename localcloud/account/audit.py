"""Audit events on disk. They are read page by page, since nothing bounds their number."""

import sqlite3
from datetime import datetime

from localcloud.account.records import AuditRecord


class AuditLog:
    """The events of an account, oldest first."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "CREATE TABLE IF NOT EXISTS audit (number INTEGER PRIMARY KEY, time REAL, resource TEXT, body TEXT)"
        )

    def put(self, event: AuditRecord) -> None:
        """Write an event, after all others."""
        row = (event.time.timestamp(), event.resource, event.model_dump_json())
        self._connection.execute("INSERT INTO audit (time, resource, body) VALUES (?, ?, ?)", row)

    def page(
        self, after: int, most: int, start: datetime | None, end: datetime | None, resource: str | None
    ) -> list[tuple[int, AuditRecord]]:
        """Up to `most` events with their numbers, which are above `after`; both ends are inclusive, None means any."""
        rows = self._connection.execute(
            "SELECT number, body FROM audit WHERE number > :after AND (:start IS NULL OR time >= :start)"
            " AND (:end IS NULL OR time <= :end) AND (:resource IS NULL OR resource = :resource)"
            " ORDER BY number LIMIT :most",
            {
                "after": after,
                "start": start and start.timestamp(),
                "end": end and end.timestamp(),
                "resource": resource,
                "most": most,
            },
        )
        return [(number, AuditRecord.model_validate_json(body)) for number, body in rows]
