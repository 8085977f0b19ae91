"""One local cloud for the whole floor; each test has a project and a stack of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.pulumi_project import Project, project
from tests.support.signals import let_signals_arrive

PROGRAMS = Path(__file__).parents[1] / "support/programs"
MACHINE_PROGRAM = PROGRAMS / "machine.py"
FLEET_PROGRAM = PROGRAMS / "fleet.py"
FLEET_TIME_SCALE = "0.007"


@pytest.fixture(scope="session", autouse=True)
def signals_arrive() -> None:
    """Under nohup, or behind `&` in a script, some signals are ignored, also in all that the tests start."""
    let_signals_arrive()


def as_new(cloud: LocalCloud) -> LocalCloud:
    """The same cloud without what tests have told it."""
    cloud.control("DELETE", "/faults")
    cloud.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": ["us-east-3"]})
    cloud.forget_requests()
    return cloud


@pytest.fixture(scope="session")
def session_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud with process machines."""
    with local_cloud(tmp_path_factory.mktemp("cloud") / "state") as running:
        yield running


@pytest.fixture
def cloud(session_cloud: LocalCloud) -> LocalCloud:
    """The same, without faults and with an empty request log."""
    return as_new(session_cloud)


@pytest.fixture(scope="session")
def session_api_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud without machines behind its API: for what happens between a program and the API."""
    with local_cloud(tmp_path_factory.mktemp("api-cloud") / "state", "none", FLEET_TIME_SCALE) as running:
        yield running


@pytest.fixture
def api_cloud(session_api_cloud: LocalCloud) -> LocalCloud:
    """The same, without faults and with an empty request log."""
    return as_new(session_api_cloud)


@pytest.fixture
def fleet(api_cloud: LocalCloud, tmp_path: Path) -> Iterator[Project]:
    """A project whose program makes machines, as many as `count` says."""
    with project(tmp_path, api_cloud, FLEET_PROGRAM) as made:
        made.configure(apiUrl=api_cloud.url)
        yield made


@contextmanager
def one_machine(folder: Path, cloud: LocalCloud) -> Iterator[Project]:
    """A project whose program makes one machine and runs one command on it, not made yet."""
    with project(folder, cloud, MACHINE_PROGRAM) as made:
        made.configure(apiUrl=cloud.url)
        yield made


@pytest.fixture
def machine_project(cloud: LocalCloud, tmp_path: Path) -> Iterator[Project]:
    """Such a project for one test."""
    with one_machine(tmp_path, cloud) as made:
        yield made


@pytest.fixture
def real_project(cloud: LocalCloud, tmp_path: Path) -> Iterator[Project]:
    """A project with the real program, configured for the local cloud."""
    with project(tmp_path, cloud) as made:
        made.configure(apiUrl=cloud.url, hfEndpoint=cloud.url, sshPort=2222)
        yield made


@contextmanager
def tls_project(folder: Path, cloud: LocalCloud) -> Iterator[Project]:
    """A project whose program makes a machine with TLS and a small endpoint, not made yet."""
    with project(folder, cloud, PROGRAMS / "tls.py") as one:
        # The program names its key as the endpoint does.
        (folder / "project/tests").symlink_to(PROGRAMS.parents[1])
        one.configure(apiUrl=cloud.url, allowedCidrs=["127.0.0.0/8"])
        yield one


@pytest.fixture
def with_tls(cloud: LocalCloud, tmp_path: Path) -> Iterator[Project]:
    """Such a project for one test."""
    with tls_project(tmp_path, cloud) as one:
        yield one
