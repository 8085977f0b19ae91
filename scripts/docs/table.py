"""The table of the settings in the README."""

from collections.abc import Iterator

from scripts.docs.declared import DECLARED_IN, Declared, declared
from scripts.docs.place import put
from scripts.docs.schema import in_one_line

BEGIN = f"<!-- settings: written by `make docs` from {DECLARED_IN} -->"
END = "<!-- end of settings -->"
HEAD = "| key | default | meaning |\n| --- | --- | --- |\n"


def with_table(readme: str) -> str:
    """The README with a row for each word that the settings have, from the text that it has."""
    new = f"{BEGIN}\n\n{HEAD}{''.join(_rows())}\n{END}\n"
    place = rf"^<!-- settings: .*\n[\s\S]*?^{END}\n"
    return put(readme, place, new, f"README.md: <!-- settings: ... --> {END}")


def _rows() -> Iterator[str]:
    for group in declared():
        yield _row(f"**{group.title}**", "", "")
        for one in group.words:
            yield _row(f"`{one.key}`", _default(one), _meaning(one))


def _row(*cells: str) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in escaped)}|\n"


def _default(one: Declared) -> str:
    if one.word.unset:
        return one.word.unset
    text = in_one_line(one.default)
    return text if isinstance(one.default, int) else f"`{text}`"


def _meaning(one: Declared) -> str:
    sentences = [one.summary, one.more, "Set it with `--secret`" if one.word.is_secret else ""]
    return ". ".join(filter(None, sentences))
