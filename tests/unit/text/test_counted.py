"""What is counted in a message is one thing or several, and the message says so."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.text.counted import counted

REPOSITORY = Path(__file__).parents[3]
PROGRAMS = ("components", "ops", "scripts", "localcloud")
NOUNS = (
    *("addresses", "bytes", "cores", "files", "filesystems", "GPUs", "heads", "instances", "keys", "layers", "lines"),
    *("machines", "minutes", "models", "packages", "preemptions", "problems", "processes", "regions", "requests"),
    *("rules", "seconds", "stacks", "starts", "times", "tokens", "types"),
)
FOLLOWS = re.compile(rf"^ (?:[a-z]+ )?(?:{'|'.join(NOUNS)})\b")

# Always many, or a limit of ours that is, or no number.
MANY = {
    "components/lambda_cloud/api/firewall_rules.py": {"len(unique)"},
    "components/lambda_cloud/instance/inputs.py": {"len(text.encode())"},
    "components/settings/exposure.py": {"joined.num_addresses"},
    "components/vllm/preflight/market_check.py": {"there.region.name"},
    "components/model/hub/headers.py": {"length"},
    "components/on_machine/install/__main__.py": {"lock.packages"},
    "components/on_machine/tls/certificate.py": {"len(page)"},
    "components/vllm/release/diagnose/server_failures.py": {"tokens"},
    "components/model/sizing/demands.py": {"shape.max_context"},
    "components/model/sizing/shape.py": {"layers"},
    # The whole group: there are as many GPUs as are shared by, which is more than one.
    "components/vllm/preflight/plan_text.py": {"found.tensor_parallel_size"},
    # As the official plugin says it.
    "scripts/command_plugin/dial.py": {"limit"},
    "localcloud/machines/nspawn/firewall.py": {"table"},
    "scripts/live_check/__main__.py": {"found"},
    "scripts/locks/__main__.py": {"len(pins)"},
}


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(0, "file", "0 files"), (1, "file", "1 file"), (2, "file", "2 files"), (1234, "token", "1,234 tokens")],
)
def test_one_is_one_and_the_rest_are_many(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text


def test_a_noun_may_have_a_plural_of_its_own() -> None:
    assert [counted(number, "process", "processes") for number in (1, 2)] == ["1 process", "2 processes"]


def bare_counts(file: Path) -> Iterator[str]:
    """Expressions in f-strings which a plural follows, whatever the number."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in zip(node.values, node.values[1:], strict=False):
            if not (isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant)):
                continue
            # What is rounded is no count, and a name in capitals is a limit.
            form = value.format_spec.values if isinstance(value.format_spec, ast.JoinedStr) else []
            is_rounded = any(isinstance(part, ast.Constant) and str(part.value).endswith("f") for part in form)
            expression = ast.unparse(value.value)
            if not is_rounded and not expression.isupper() and FOLLOWS.match(str(after.value)):
                yield expression


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_message_counts_one_thing_as_several(program: str) -> None:
    found = {}
    for file in (REPOSITORY / program).rglob("*.py"):
        name = str(file.relative_to(REPOSITORY))
        if bare := set(bare_counts(file)) - MANY.get(name, set()):
            found[name] = bare
    assert found == {}
