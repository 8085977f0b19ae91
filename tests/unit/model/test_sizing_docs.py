"""The table that users read is what the functions answer."""

from collections.abc import Iterator
from pathlib import Path

from components.model.sizing.fit import Fit, ServeOptions, fits_by_type
from tests.support.models.catalogue_sizes import BY_PRICE
from tests.support.models.model_configs import Stored, stored_shape

DOCS = Path(__file__).parents[3] / "docs" / "sizing.md"
KINDS: tuple[tuple[str, Stored], ...] = (("16 bits", "bf16"), ("FP8", "fp8"), ("INT4", "int4"))


def cell(found: Fit) -> str:
    if not found.fits:
        return "no"
    offload = f", {found.cpu_offload_gib:g} GiB offloaded" if found.cpu_offload_gib else ""
    return f"{found.kv_tokens / 1000:,.0f}k{offload}, ≤ {found.tokens_per_second:.{found.tokens_per_second < 10:d}f}/s"


def table(model: str) -> Iterator[str]:
    yield "| instance type | " + " | ".join(name for name, _ in KINDS) + " |"
    yield "| --- |" + " --- |" * len(KINDS)
    columns = [fits_by_type(stored_shape(model, stored), BY_PRICE, ServeOptions()) for _, stored in KINDS]
    for row in zip(*columns, strict=True):
        yield f"| `{row[0][0].name}` | " + " | ".join(cell(found) for _, found in row) + " |"


def test_the_table_in_the_docs_is_what_is_computed() -> None:
    text = DOCS.read_text()
    for model in ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct"):
        computed = "\n".join(table(model))
        assert computed in text, f"docs/sizing.md should have for {model}:\n{computed}"
