"""Every start of the server, one JSON object a line: `~/.local/share/lambda-vllm/timeline.jsonl`.

at        when it ended, UTC, ISO 8601
key       of the setting; with `model` and `revision`
why       first start, change, fall back, restart
stages    seconds of each stage, by vLLM's own log
start     seconds from the process to the first token, or to the end of the try
outage    seconds without a served model; null when none was served before, or nobody knows since when
result    served, fell back (to the last good setting), failed, stopped
after     of a restart or fall back: why the server before it ended; else empty
trouble   why it ended before it served; else empty

"""

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from components.on_machine.shared.files import replace_file

MOST_BYTES = 1_000_000


class Timeline:
    """The file, the oldest lines of which are dropped when it grows large."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, **entry: Any) -> None:
        """One more line."""
        at = datetime.now(timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10 has no datetime.UTC
        with self._file.open("a") as stream:
            stream.write(json.dumps({"at": at, **entry}) + "\n")
        if self._file.stat().st_size > MOST_BYTES:
            lines = self._file.read_text().splitlines(keepends=True)
            replace_file(self._file, "".join(lines[len(lines) // 2 :]))

    def last(self, key: str | None = None, model: str | None = None) -> dict[str, Any] | None:
        """The last start that ended with a served model, of a setting or of any setting of a model."""
        found = None
        for line in self._file.read_text().splitlines() if self._file.exists() else ():
            try:
                entry: dict[str, Any] = json.loads(line)
            except ValueError:
                # Cut off by a full disk or the end of the machine.
                continue
            wanted = (key is None or entry.get("key") == key) and (model is None or entry.get("model") == model)
            if wanted and entry.get("result") == "served":
                found = entry
        return found
