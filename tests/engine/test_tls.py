"""Authority, certificate and the look from this computer, with the real engine and one machine. From top to bottom."""

import json
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import tls_project
from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import Project
from tests.support.tls_endpoint import KEY


@pytest.fixture(scope="module")
def made(session_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A machine with TLS that has been looked at; each test leaves one."""
    with tls_project(tmp_path_factory.mktemp("tls"), session_cloud) as one:
        one.up()
        yield one


def age(made: Project, folder: Path, kind: str, **dates: str) -> None:
    """Let the state say that something was made at another time."""
    file = folder / "aged.json"
    state: dict[str, Any] = json.loads(made.export())
    (resource,) = [r for r in state["deployment"]["resources"] if r["type"].endswith(f":{kind}")]
    resource["outputs"] |= dates
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(state, stream)
    made.pulumi("stack", "import", "--file", str(file))


def test_keys_in_the_clear_are_warned_of_in_the_preview_where_somebody_could_hear_them(real_project: Project) -> None:
    warning = "tls is off: the key, the questions and the answers cross the network in the clear"
    real_project.configure(tls="off")
    assert warning not in real_project.pulumi("preview").output
    real_project.configure(allowedCidrs=["127.0.0.0/8"])
    assert warning in real_project.pulumi("preview").output
    real_project.configure(tls=None)
    assert warning not in real_project.pulumi("preview").output


def test_keys_are_encrypted_in_the_state_and_a_second_up_changes_nothing(made: Project, cloud: LocalCloud) -> None:
    outputs = made.outputs()
    assert outputs["reachable"] == "from here"
    state = made.export() + (made.folder.parent / "state/.pulumi/stacks/lambda-vllm/test.json").read_text()
    assert "PRIVATE KEY" not in state
    assert KEY not in state
    settings = cloud.home(outputs["instance_id"]) / ".config/lambda-vllm"
    assert (settings / "tls.pem").stat().st_mode & 0o777 == 0o600
    assert (settings / "ca.pem").read_text() == outputs["ca_certificate"]
    made.pulumi("preview", "--expect-no-changes")
    made.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    made.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_certificate_near_its_end_is_renewed_for_the_same_authority_and_looked_at_again(
    made: Project, tmp_path: Path
) -> None:
    before = made.outputs()
    old = ssl.get_server_certificate((before["ip"], 8000))
    age(
        made,
        tmp_path,
        "ServerCertificate",
        not_before="2020-01-01T00:00:00+00:00",
        not_after="2020-12-31T00:00:00+00:00",
    )
    preview = made.pulumi("preview").output
    assert any("ServerCertificate" in line and "update" in line for line in preview.splitlines())
    assert "replace" not in preview
    done = made.up()
    assert "certificate: the server shows it" in done.output
    after = made.outputs()
    assert after["serial"] != before["serial"]
    assert after["ca_certificate"] == before["ca_certificate"]
    assert after["instance_id"] == before["instance_id"]
    assert ssl.get_server_certificate((after["ip"], 8000)) != old
    made.pulumi("preview", "--expect-no-changes")


def test_another_address_gets_another_certificate_of_the_same_authority(made: Project, cloud: LocalCloud) -> None:
    before = made.outputs()
    cloud.control("PATCH", f"/instances/{before['instance_id']}", {"status": "terminated"})
    made.refresh()
    made.up()
    after = made.outputs()
    assert after["ip"] != before["ip"]
    assert after["serial"] != before["serial"]
    assert after["ca_certificate"] == before["ca_certificate"]
    assert after["reachable"] == "from here"


def test_an_authority_that_could_not_sign_for_a_year_any_more_is_replaced_with_what_it_signed(
    made: Project, tmp_path: Path
) -> None:
    before = made.outputs()
    age(made, tmp_path, "CertificateAuthority", not_after="2020-12-31T00:00:00+00:00")
    made.up()
    after = made.outputs()
    assert after["ca_certificate"] != before["ca_certificate"]
    assert after["serial"] != before["serial"]
    assert after["reachable"] == "from here"


def test_who_may_come_is_changed_by_a_patch_of_the_rules_and_by_nothing_else(made: Project, cloud: LocalCloud) -> None:
    for cidrs in ([], ["198.51.100.0/24", "127.0.0.0/8"]):
        cloud.forget_requests()
        made.configure(allowedCidrs=cidrs)
        made.up()
        assert cloud.writes() == ["update-firewall-ruleset"]
        assert sorted(cloud.firewall_sources()) == sorted(["0.0.0.0/0", *cidrs])
    made.pulumi("preview", "--expect-no-changes")


def test_an_endpoint_that_is_not_right_fails_the_update_until_it_is(made: Project) -> None:
    made.configure(model="another/model")
    for _ in range(2):
        failed = made.up(succeeds=False)
        assert "/v1/models does not name another/model" in failed.output
        assert "Traceback" not in failed.output
    made.configure(model=None)
    made.up()
    made.pulumi("preview", "--expect-no-changes")


def test_the_authority_that_clients_trust_outlives_a_time_without_tls(made: Project) -> None:
    before = made.outputs()
    made.configure(tls="off")
    preview = made.pulumi("preview").output
    assert "CertificateAuthority" not in "".join(line for line in preview.splitlines() if "delete" in line), preview
    made.up()
    assert "ca_certificate" not in made.outputs()
    made.configure(tls=None)
    made.up()
    after = made.outputs()
    assert after["ca_certificate"] == before["ca_certificate"]
    # The check trusts that authority alone.
    assert after["reachable"] == "from here"
    made.pulumi("preview", "--expect-no-changes")
