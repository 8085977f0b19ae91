"""Reads `--config` files with vLLM's own parser; run by a Python that has vLLM.

Standard input: a JSON list of objects, each the content of a file. Standard output: for each what its flags came out
as, as text, or one text with what the parser said.
"""

import contextlib
import io
import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Parse them all."""
    parsing = import_module("vllm.utils.argparse_utils")
    parser = import_module("vllm.entrypoints.launchers.cli_args").make_arg_parser(parsing.FlexibleArgumentParser())
    with tempfile.TemporaryDirectory() as folder:
        json.dump([_parsed(parser, flags, Path(folder) / "vllm.yaml") for flags in json.load(sys.stdin)], sys.stdout)


def _parsed(parser: Any, flags: dict[str, Any], file: Path) -> dict[str, str] | str:
    file.write_text(json.dumps(flags))
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parsed = parser.parse_args(["--config", str(file)])
    except SystemExit:
        return said.getvalue()
    return {flag: str(getattr(parsed, flag.replace("-", "_"))) for flag in flags}


if __name__ == "__main__":
    main()
