"""What is switched off and on again: what clients have of a stack counts still, or it is said beforehand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import PROGRAMS
from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import Project, project

GIVEN = "sk-a-key-of-the-user"


@pytest.fixture
def with_key(api_cloud: LocalCloud, tmp_path: Path) -> Iterator[Project]:
    with project(tmp_path, api_cloud, PROGRAMS / "api_key.py") as one:
        yield one


def test_a_stack_that_begins_without_tls_has_its_authority_already(real_project: Project) -> None:
    real_project.configure(tls="off")
    preview = real_project.pulumi("preview").output
    assert "CertificateAuthority" in preview
    assert "ServerCertificate" not in preview


def test_a_random_key_after_the_users_own_is_another_one_and_said_in_the_preview(with_key: Project) -> None:
    with_key.up()
    first = with_key.output("api_key")
    with_key.configure_secret("apiKey", GIVEN)
    with_key.up()
    assert with_key.output("api_key") == GIVEN
    assert GIVEN not in with_key.export()
    with_key.configure(apiKey=None)
    told = "apiKey is not set any more: the endpoint gets a new random key"
    assert told in with_key.pulumi("preview").output
    with_key.up()
    assert with_key.output("api_key") not in {first, GIVEN}
    assert told not in with_key.pulumi("preview", "--expect-no-changes").output
