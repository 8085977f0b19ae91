"""The stack of this folder: its first `pulumi up` is killed in the middle of the install and run again."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Served, small_stack
from tests.support.local_cloud import LocalCloud


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The endpoint, whose last test takes it away; tests that change it come last."""
    with small_stack(tmp_path_factory.mktemp("endpoint")) as (made, cloud):
        made.kill_up_when(lambda: installing(cloud))
        (launched,) = cloud.billing()
        served = Served(made, cloud, made.up())
        assert cloud.billing() == [launched]
        yield served


def installing(cloud: LocalCloud) -> bool:
    """True when a machine is in the middle of the install."""
    progress = cloud.state.glob("machines/*/home/ubuntu/.local/share/lambda-vllm/jobs/install-*/progress")
    return any("installing vLLM" in file.read_text() for file in progress)
