"""`.venv`: Python and the packages of requirements-dev.txt and of the files that it names."""

import subprocess
import sys
from pathlib import Path

from scripts.tools.checkout import Checkout, digest
from scripts.tools.step import CommandFailedError, Step, ToolMissingError, show_log_end, step

UV = "uv==0.13.8"
OLDEST_PYTHON = (3, 11)


def ensure_virtualenv(checkout: Checkout) -> None:
    """Bring `.venv` in line with the requirement files; does nothing when it is.

    Raises:
        ToolMissingError: the packages could not be installed.
    """
    stamp = checkout.venv / ".set-up"
    # The programs in a virtual environment name its path, so one that was moved is no longer good.
    wanted = f"{checkout.venv} {digest(checkout.requirements)}\n"
    present = stamp.read_text() if stamp.exists() else ""
    usable = is_usable(checkout)
    if usable and present == wanted:
        return
    moved = present != "" and not present.startswith(f"{checkout.venv} ")
    try:
        with step("Python packages into .venv", checkout.logs / "python-packages.log") as python_packages:
            if moved or not usable:
                python_packages.run(sys.executable, "-m", "venv", "--clear", checkout.venv)
            install_packages(checkout, python_packages)
    except CommandFailedError as failure:
        show_log_end(failure.log)
        raise ToolMissingError(
            f"the packages of {checkout.requirements[-1].name} could not be installed ({failure}); "
            "check that pip reaches its package index and run this again"
        ) from None
    stamp.write_text(wanted)


def is_usable(checkout: Checkout) -> bool:
    """Whether `.venv` has a Python that runs, is new enough and has pip."""
    probe = f"import sys, pip; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    try:
        return subprocess.run([checkout.python, "-c", probe], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def install_packages(checkout: Checkout, python_packages: Step) -> None:
    """Install with uv, which takes seconds, or with pip where only pip is configured to reach an index."""
    pip: list[str | Path] = [
        checkout.python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
    ]
    requirements: list[str | Path] = ["-r", checkout.requirements[-1]]
    python_packages.run(*pip, UV)
    # Pulumi starts Python twice in every run, which takes twice as long where nothing is compiled.
    uv = (checkout.python, "-m", "uv", "pip", "install", "--compile-bytecode", "--python", checkout.python)
    try:
        python_packages.run(*uv, *requirements)
    except CommandFailedError:
        python_packages.run(*pip, *requirements)
