"""What a server says of a request that it refuses, in one readable line, in whatever form it says it."""

import ast
import json
import re
from typing import Any

LONGEST = 500
NOTHING = "without a word"
WORDS = ("error", "message", "detail", "msg")
"""Where OpenAI's form, FastAPI and others have the text, in the order in which they are nested."""

VALIDATION = re.compile(r"(\d+) validation errors?:?$")
"""The first line of vLLM's text for a body that it does not take; the errors follow, a line each, as Python's dicts."""
PLACE = re.compile(r"'loc': '([^']*)'")
MESSAGE = re.compile(r"'msg': (?:'([^']*)'|\"([^\"]*)\")")
TITLE = re.compile(r"<title>\s*(.*?)\s*</title>", re.IGNORECASE | re.DOTALL)


def message_of(body: str) -> str:
    """One line from the body of an answer that is an error; the body's own where its form is not known."""
    try:
        text = _words_in(json.loads(body)) or body
    except ValueError:
        text = title[1] if (title := TITLE.search(body)) else body
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [NOTHING]
    return (_of_validation(lines) or lines[0])[:LONGEST]


def _words_in(said: Any) -> str:
    if isinstance(said, str):
        return said
    if isinstance(said, list):
        return _words_in(said[0]) if said else ""
    if not isinstance(said, dict):
        return ""
    text = next((found for name in WORDS if (found := _words_in(said.get(name)))), "")
    return _with_place(said.get("loc"), text)


def _of_validation(lines: list[str]) -> str | None:
    """The first of vLLM's validation errors, and how many more there are."""
    found = VALIDATION.match(lines[0])
    if found is None or len(lines) == 1:
        return None
    try:
        text = _words_in(ast.literal_eval(lines[1]))
    except (ValueError, SyntaxError):
        # Cut off by the server, as it may be long.
        said, place = MESSAGE.search(lines[1]), PLACE.search(lines[1])
        text = _with_place(place and place[1], (said[1] or said[2]) if said else "")
    more = int(found[1]) - 1
    return f"{text}{f' (and {more} more)' if more else ''}" if text else None


def _with_place(place: Any, text: str) -> str:
    """`body.messages` is the field `messages` of what was sent."""
    names = place.split(".") if isinstance(place, str) else place if isinstance(place, list | tuple) else []
    field = ".".join(str(name) for name in names if name != "body")
    return f"{field}: {text}" if field and text else text
