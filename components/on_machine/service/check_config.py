"""Looks at flags and model without serving anything: `check_config.py serve FLAG…`, by vLLM's own Python.

vLLM's own command line is run up to the point where it would begin to serve, and its own code makes the model's
configuration: it finds wrong values, an unknown architecture, a context that is too long and a chat template that does
not parse. No memory of a GPU is
taken, since a server runs meanwhile.

It ends with 0 when nothing is wrong, with another status when vLLM says what is, and with `CANNOT_TELL` where this
vLLM is built in another way.
"""

import sys
from typing import Any

CANNOT_TELL = 9


def check(args: Any) -> None:
    """In the place of what serves."""
    try:
        from vllm.engine.arg_utils import AsyncEngineArgs  # type: ignore[import-not-found,unused-ignore]

        engine = AsyncEngineArgs.from_cli_args(args)
        make = engine.create_model_config
    except (ImportError, AttributeError) as error:
        print(f"cannot look at the model: {error}", file=sys.stderr)
        sys.exit(CANNOT_TELL)
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
        print(f"cannot look at the flags: {error}", file=sys.stderr)
        sys.exit(CANNOT_TELL)
    ServeSubcommand.cmd = staticmethod(check)
    command_line()


if __name__ == "__main__":
    main()
