"""Numbers of things in messages."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 file`, `2 files`, `1,234 files`; `plural` for nouns that do not take an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
