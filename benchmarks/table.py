"""A table of figures, with what was promised beside what was measured."""

from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of text under a heading, printed when complete."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """One row."""
        self.rows.append(tuple(str(cell) for cell in cells))

    def show(self) -> None:
        """Print it, columns aligned."""
        widths = [max(map(len, column)) for column in zip(self.heads, *self.rows, strict=True)]
        print(f"\n{self.title}")
        for row in (self.heads, tuple("-" * width for width in widths), *self.rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def against(ratio: float, bound: float) -> str:
    """A ratio, and whether it keeps what was promised."""
    return f"{ratio:.2f} of {bound:.2f} {'ok' if ratio <= bound else 'MISSED'}"
