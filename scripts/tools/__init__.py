"""Set-up of the tools: what is on PATH is used, what is missing goes under `.tools/` and `.venv/`.

Runs before anything is installed, so it uses the standard library only.
"""
