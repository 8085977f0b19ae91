"""Looks at flags and model without serving anything: `check_config.py serve FLAG…`, by vLLM's own Python.

vLLM's own command line is run up to the point where it would begin to serve, and its own code makes the model's
configuration: it finds wrong values, an unknown architecture, a context that is too long and a chat template that does
not parse. No memory of a GPU is taken, since a server runs meanwhile.

It ends with 0 when nothing is wrong and with another status when vLLM says what is. Where this vLLM is built in another
way, it writes so into the file that a variable names. It needs nothing of this package: vLLM's Python runs the file.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

RESULT_VARIABLE = "LAMBDA_VLLM_RESULT"


def cannot_tell(error: Exception) -> NoReturn:
    """This vLLM cannot be asked; it may serve all the same."""
    print(f"cannot look at the setting: {error}", file=sys.stderr)
    if file := os.environ.get(RESULT_VARIABLE):
        Path(file).write_text(json.dumps({"error": {"code": "cannot-tell", "message": str(error)}}))
    sys.exit(1)


def check(args: Any) -> None:
    """In the place of what serves."""
    try:
        from vllm.engine.arg_utils import AsyncEngineArgs  # type: ignore[import-not-found,unused-ignore]

        engine = AsyncEngineArgs.from_cli_args(args)
        make = engine.create_model_config
    except (ImportError, AttributeError) as error:
        cannot_tell(error)
    make()
    check_template(getattr(args, "chat_template", None))


def check_template(named: str | None) -> None:
    """Parse the template for chats. vLLM does so at the first chat, and would serve until then as if all were well."""
    try:
        from transformers.utils.chat_template_utils import (  # type: ignore[import-not-found,unused-ignore]
            _compile_jinja_template,
        )
        from vllm.renderers.chat_utils import load_chat_template  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        # Another release has it elsewhere, and finds out later.
        return
    if template := load_chat_template(named):
        try:
            _compile_jinja_template(template)
        except Exception as error:
            said, _, _ = str(error).partition("\n")
            print(f"error: the chat template does not parse: {said}", file=sys.stderr)
            sys.exit(1)


def main() -> None:
    """Run vLLM's command line."""
    try:
        from vllm.entrypoints.cli.main import main as command_line  # type: ignore[import-not-found,unused-ignore]
        from vllm.entrypoints.cli.serve import ServeSubcommand  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        cannot_tell(error)
    ServeSubcommand.cmd = staticmethod(check)
    command_line()


if __name__ == "__main__":
    main()
