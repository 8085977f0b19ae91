#!/usr/bin/env bash
# Finds a Python to set everything else up with; scripts/tools does the rest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The set-up may have to make .venv anew and cannot do that with the Python inside it.
PATH=":$PATH:"
PATH="${PATH//":$PWD/.venv/bin:"/:}"
PATH="${PATH#:}"
PATH="${PATH%:}"

for candidate in python3 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    exec "$candidate" -m scripts.tools
  fi
done

echo "set-up: no Python 3.11 or later with its venv module on PATH; install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python)" >&2
exit 1
