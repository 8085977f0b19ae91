"""A driver upgrade on a machine with systemd of its own, which really reboots; apt and the GPU's driver are played.

Needs what machines of the kind `nspawn` need: root and Debian's tools."""

from collections.abc import Iterator

import pytest

from components.on_machine.shared.secret_input import with_end
from components.vllm.programs import command
from tests.support.gpu_machine import APT_KNOWS
from tests.support.machine_release import lay_archive
from tests.support.nspawn_cloud import NEEDS_NSPAWN, Debian, debian_cloud

CONFIGURED = ("wheel", "0.32.0")
BOOT = "cat /proc/sys/kernel/random/boot_id"

# The kernel's module is of the boot, the library is what is installed: between upgrade and reboot they differ.
NVIDIA_SMI = """#!/bin/bash
library=$(cat /var/lib/played-driver)
[[ -f /run/played-module ]] || echo "$library" 2>/dev/null >/run/played-module
if [[ $(cat /run/played-module) != "$library" ]]; then
    echo "Failed to initialize NVML: Driver/library version mismatch"
    exit 18
fi
[[ $* == *name* ]] && echo "$library, NVIDIA GH200 480GB" || echo "$library"
"""
APT_GET = """#!/bin/bash
echo "$*" >>/var/log/played-apt
[[ $* != *" install "* ]] || echo 580.105.08 >/var/lib/played-driver
"""


pytestmark = NEEDS_NSPAWN


def prepare(mode: str) -> str:
    """The command of the first step."""
    told = with_end('{"at": null, "cache": ""}')
    return f"printf %s '{told}' | {command('driver.prepare', mode, *CONFIGURED)}"


def verify(mode: str) -> str:
    """The command of the second step."""
    given = with_end('{"port": 8000, "certificate": ""}')
    return f"printf %s '{given}' | {command('ready', mode, *CONFIGURED)}"


def _put(machine: Debian, path: str, text: str) -> None:
    machine.ssh(f"sudo tee {path} >/dev/null <<'EOF'\n{text}\nEOF\nsudo chmod 755 {path}")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """A machine with the driver that Lambda's have, and an apt that knows Lambda's own."""
    with debian_cloud(tmp_path_factory.mktemp("reboot")) as cloud:
        machine = cloud.active(cloud.launch())
        lay_archive(machine.ssh)
        _put(machine, "/var/lib/played-driver", "570.148.08")
        _put(machine, "/usr/local/bin/nvidia-smi", NVIDIA_SMI)
        _put(machine, "/usr/local/bin/apt-cache", f"#!/bin/bash\necho '{APT_KNOWS}'")
        _put(machine, "/usr/local/bin/lsb_release", "#!/bin/bash\necho 24.04")
        _put(machine, "/usr/local/sbin/apt-get", APT_GET)
        machine.ssh("sudo nvidia-smi --query-gpu=driver_version")
        yield machine


def test_an_upgrade_reboots_the_machine_and_no_later_connection_meets_the_old_boot(machine: Debian) -> None:
    before = machine.ssh(BOOT)
    assert "570.148.08" in machine.ssh("nvidia-smi --query-gpu=driver_version")
    said = machine.ssh(prepare("upgrade"))
    assert said.splitlines()[-1] == "rebooting"
    # Whoever gets through from here on is on the new boot.
    assert machine.wait_for(BOOT) != before
    machine.ssh("sudo nvidia-smi --query-gpu=driver_version")
    assert "driver 580.105.08 is new enough" in machine.ssh(verify("upgrade"))
    assert "install -y nvidia-driver-580-server-open=580.105.08-0lambda0.24.04.1" in machine.ssh(
        "cat /var/log/played-apt"
    )


def test_an_upgraded_machine_is_not_rebooted_again(machine: Debian) -> None:
    before = machine.ssh(f"{BOOT}; wc -l </var/log/played-apt")
    machine.ssh(prepare("upgrade"))
    assert machine.ssh(f"{BOOT}; wc -l </var/log/played-apt") == before


def test_a_driver_changed_under_the_kernel_is_told_and_rebooted_where_that_was_allowed(machine: Debian) -> None:
    machine.ssh("echo 580.126.09 | sudo tee /var/lib/played-driver")
    refused = machine.try_ssh(prepare("auto"))
    assert refused.returncode == 1
    assert "the driver was upgraded under the running kernel: reboot the machine" in refused.stderr
    before = machine.ssh(BOOT)
    machine.ssh(prepare("upgrade"))
    assert machine.wait_for(BOOT) != before
    machine.ssh("sudo nvidia-smi --query-gpu=driver_version")
    assert "driver 580.126.09" in machine.ssh(verify("upgrade"))
