"""The last step before work begins: the driver as it has to be, and the certificate in its place.

    python3 -m components.on_machine.ready DRIVER_MODE INSTALL VLLM_VERSION

Its input is JSON: `port`, and `certificate` (key, certificate and the authority's, PEM), which is empty without TLS. It
comes over a new connection, after a reboot for the driver.
"""

import sys

from components.on_machine.driver.verify import verify
from components.on_machine.shared.paths import places
from components.on_machine.shared.secret_input import read_json
from components.on_machine.shared.work import run_work
from components.on_machine.tls.certificate import put
from components.vllm.release.install.versions import version_on_gpu


def make_ready() -> None:
    """Do both."""
    asked = read_json(sys.stdin.buffer)
    mode, install, wanted = sys.argv[1:]
    verify(places(), mode, install, version_on_gpu(wanted))
    if asked["certificate"]:
        put(asked["certificate"], asked["port"], places())


if __name__ == "__main__":
    run_work(make_ready)
