"""Where on the one port each side begins; every other path is the Hugging Face hub's."""

API_PREFIX = "/api/v1"
"""Lambda's API."""

CONTROL_PREFIX = "/_localcloud"
"""The control side."""

PAGE_PATHS = frozenset({"/", "/page.css", "/page.js"})
"""The page."""
