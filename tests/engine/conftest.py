"""One local cloud for the whole floor; each test has a project and a stack of its own."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_cloud import LocalCloud, local_cloud
from tests.pulumi_project import Project, project

MACHINE_PROGRAM = Path(__file__).parent / "programs" / "machine.py"


@pytest.fixture(scope="session", autouse=True)
def signals_arrive() -> None:
    """Under nohup, or behind `&` in a script, some signals are ignored, also in all that the tests start."""
    for number, default in (
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, default)


@pytest.fixture(scope="session")
def session_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud with process machines."""
    with local_cloud(tmp_path_factory.mktemp("cloud") / "state") as running:
        yield running


@pytest.fixture
def cloud(session_cloud: LocalCloud) -> LocalCloud:
    """The same, without faults and with an empty request log."""
    session_cloud.control("DELETE", "/faults")
    session_cloud.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": ["us-east-3"]})
    session_cloud.forget_requests()
    return session_cloud


@pytest.fixture
def machine_project(cloud: LocalCloud, tmp_path: Path) -> Iterator[Project]:
    """A project whose program makes one machine and runs one command on it."""
    with project(tmp_path, cloud, MACHINE_PROGRAM) as made:
        made.configure(apiUrl=cloud.url)
        yield made


@pytest.fixture
def real_project(cloud: LocalCloud, tmp_path: Path) -> Iterator[Project]:
    """A project with the real program, configured for the local cloud."""
    with project(tmp_path, cloud) as made:
        made.configure(apiUrl=cloud.url, hfEndpoint=cloud.url, sshPort=2222)
        yield made
