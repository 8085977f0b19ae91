"""The Pulumi CLI with what it needs for Python programs: found on PATH, installed, or built from Go modules."""

import os
import shutil
import subprocess
from pathlib import Path

from scripts.tools.checkout import Checkout, digest, pinned
from scripts.tools.go import build_environment, ensure_go, modules, version
from scripts.tools.step import CommandFailedError, ToolMissingError, show_log_end, step

OLDEST_CLI = (3, 200, 0)
PROGRAMS = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")
INSTALLER = "https://get.pulumi.com/install.sh"
INSTALLER_SECONDS = 300
SDK = "github.com/pulumi/pulumi/sdk/v3"
CLI = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
LANGUAGE_HOST = f"{SDK}/python/cmd/pulumi-language-python"


def ensure_cli(checkout: Checkout) -> Path:
    """The folder of a Pulumi CLI that can run Python programs; makes `.tools/bin` when neither it nor PATH has one.

    Raises:
        ToolMissingError: it could be neither found, nor installed, nor built.
    """
    stamp = checkout.bin / ".set-up"
    wanted = digest([module / name for module in modules(checkout) for name in ("go.mod", "go.sum")])
    if stamp.exists() and stamp.read_text() == wanted:
        return checkout.bin
    on_path = cli_on_path(excluding=checkout.bin)
    if on_path is not None:
        # It comes after `.tools/bin` on the PATH of every target, so that an old one would run in its place.
        shutil.rmtree(checkout.bin, ignore_errors=True)
        return on_path
    partial = checkout.tools / f"bin.{os.getpid()}.partial"
    partial.mkdir()
    if not install_cli(checkout, partial):
        build_cli(checkout, partial)
    (partial / stamp.name).write_text(wanted)
    shutil.rmtree(checkout.bin, ignore_errors=True)
    partial.rename(checkout.bin)
    return checkout.bin


def cli_on_path(*, excluding: Path) -> Path | None:
    """The folder of the first `pulumi` on PATH, if it is new enough and finds its helpers for Python."""
    path = os.pathsep.join(folder for folder in os.get_exec_path() if Path(folder) != excluding)
    found = shutil.which("pulumi", path=path)
    if found is None or cli_version(Path(found)) < OLDEST_CLI:
        return None
    # Beside itself, where "itself" may be behind a link: Pulumi looks for its helpers nowhere else when it is told to
    # pass over the plugins on PATH, as it is here.
    complete = all(shutil.which(program, path=str(Path(found).resolve().parent)) for program in PROGRAMS)
    return Path(found).parent if complete else None


def cli_version(pulumi: Path) -> tuple[int, int, int]:
    environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    said = subprocess.run([pulumi, "version"], capture_output=True, text=True, check=False, env=environment)
    return version(said.stdout)


def pinned_cli_version(checkout: Checkout) -> str:
    return pinned(checkout.cli_module / "go.mod", rf"^\s*{SDK} v(\S+)")


def install_cli(checkout: Checkout, destination: Path) -> bool:
    """Fill `destination` with Pulumi's own installer; False where its site does not answer quickly."""
    script = checkout.tools / "pulumi-install.sh"
    fetch = ["curl", "-fsSL", "--connect-timeout", "3", "--max-time", "15", "-o", str(script), INSTALLER]
    if shutil.which("curl") is None or subprocess.run(fetch, capture_output=True, check=False).returncode != 0:
        return False
    # With a home of its own the installer cannot change a shell profile of the user.
    home = checkout.tools / "installer-home"
    home.mkdir(exist_ok=True)
    release = pinned_cli_version(checkout)
    try:
        with step(f"Pulumi CLI {release} with its installer", checkout.logs / "pulumi-installer.log") as installer:
            installer.run(
                *("sh", script, "--no-edit-path", "--install-root", home, "--version", release),
                cwd=home,
                env=os.environ | {"HOME": str(home)},
                timeout=INSTALLER_SECONDS,
            )
            for program in PROGRAMS:
                installer.run("cp", home / "bin" / program, destination)
    except CommandFailedError as failure:
        print(f"set-up: Pulumi's installer failed ({failure}, log: {failure.log}); building from Go modules instead")
        return False
    finally:
        shutil.rmtree(home, ignore_errors=True)
        script.unlink(missing_ok=True)
    return True


def build_cli(checkout: Checkout, destination: Path) -> None:
    """Fill `destination` from Go modules alone."""
    go = ensure_go(checkout)
    release = pinned_cli_version(checkout)
    environment = build_environment()
    build: list[str | Path] = [go, "build", "-trimpath", "-ldflags"]
    set_release = f"-X {SDK}/go/common/version.Version=v{release}"
    try:
        with step(f"Pulumi CLI {release} from Go modules, about 4 min", checkout.logs / "pulumi-cli.log") as cli:
            flags = [f"-s -w {set_release}", "-tags", "osusergo grpcnotrace", "-o", str(destination / "pulumi")]
            cli.run(*build, *flags, CLI, cwd=checkout.cli_module, env=environment)
        with step("Pulumi's Python language host, about 40 s", checkout.logs / "pulumi-language-python.log") as host:
            flags = ["-s -w", "-o", str(destination / "pulumi-language-python")]
            host.run(*build, *flags, LANGUAGE_HOST, cwd=checkout.language_host_module, env=environment)
    except CommandFailedError as failure:
        show_log_end(failure.log)
        raise ToolMissingError(
            f"the Pulumi CLI is missing and could not be built ({failure}); "
            "install it from https://www.pulumi.com/docs/install and run this again"
        ) from None
    copy_sdk_scripts(checkout, go, destination)


def copy_sdk_scripts(checkout: Checkout, go: Path, destination: Path) -> None:
    """Two of the helpers are scripts in the SDK's module, which the build of the CLI has downloaded."""
    listing = subprocess.run(
        [go, "list", "-m", "-f", "{{.Dir}}", SDK],
        cwd=checkout.cli_module,
        env=build_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    sdk = Path(listing.stdout.strip())
    for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        copy = destination / Path(script).name
        shutil.copyfile(sdk / "python" / script, copy)
        copy.chmod(0o755)
