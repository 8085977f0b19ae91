#!/usr/bin/env bash
# Every linter, to the end: one run shows all that is wrong.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# Some scripts have no suffix, such as the programs of a machine; their first line says that they are for a shell.
shell_scripts() {
  printf '%s\0' .ci/run
  find scripts components localcloud tests -name '*.sh' -print0
  find scripts components localcloud -type f ! -name '*.*' -exec grep -lE --null '^#!.*[/ ](ba|da)?sh( |$)' {} +
}

failed=0
ruff check . || failed=1
ruff format --check . || failed=1
mypy || failed=1
shell_scripts | xargs -0 shellcheck --external-sources -- || failed=1
exit "$failed"
