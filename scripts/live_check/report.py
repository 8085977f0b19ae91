"""The report, in Markdown, to be pasted: no secret and no address is in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """What is known so far; written also when the check broke off."""

    title: str
    checks: list[tuple[str, bool, str]] = field(default_factory=list)
    """What was checked, whether it held, and the number behind it."""
    sections: dict[str, str] = field(default_factory=dict)

    def check(self, promise: str, holds: bool, detail: str = "") -> None:
        """One promise."""
        self.checks.append((promise, holds, detail))

    @property
    def holds(self) -> bool:
        """True when every promise held, and there was one."""
        return bool(self.checks) and all(holds for _, holds, _ in self.checks)

    def text(self, secrets: Mapping[str, Any]) -> str:
        """As Markdown; the values of `secrets` are cut out wherever they stand."""
        rows = [f"| {promise} | {'yes' if holds else '**NO**'} | {detail} |" for promise, holds, detail in self.checks]
        parts = [f"# {self.title}", "", "| promise | holds | measured |", "| --- | --- | --- |", *rows]
        for name, content in self.sections.items():
            parts += ["", f"## {name}", "", "```", content, "```"]
        text = "\n".join([*parts, ""])
        for name, value in secrets.items():
            if value:
                text = text.replace(str(value), f"[{name}]")
        return text
