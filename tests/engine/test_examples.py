"""Each example runs as it is under the real engine: up, nothing to do, destroy, nothing left."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.account_state import assert_nothing_is_left, assert_state_knows_the_account
from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_cli import REPOSITORY
from tests.support.pulumi_project import Project, project
from tests.support.small_endpoint import ServingMachine, sizes_of_machines, use_small_endpoint

EXAMPLES = REPOSITORY / "examples"
LOCAL_SSH_PORT = 2222
MOST_OF_A_MACHINE = 12
MODELS = {
    "small": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
    "large": {"model": "meta-llama/Llama-3.1-70B-Instruct"},
}
"""As the example's Pulumi.yaml has them."""
OWN_KEY = "sk-a-key-of-the-user-for-the-small-one"
COST_OF_NOTHING = "0.0 GB stored, $0.00 a month"


@contextmanager
def example(name: str, folder: Path, cloud: LocalCloud) -> Iterator[Project]:
    """The example, with what its README says to set for the local cloud."""
    with project(folder, cloud, EXAMPLES / name) as made:
        made.configure(apiUrl=cloud.url, sshPort=LOCAL_SSH_PORT)
        yield made


@pytest.fixture
def filesystem(tmp_path: Path, cloud: LocalCloud) -> Iterator[Project]:
    """The example with the filesystem, which the test may have left in the account."""
    with example("filesystem", tmp_path, cloud) as made:
        yield made
    for id_ in cloud.ids("file-systems"):
        ask(cloud, "DELETE", f"/filesystems/{id_}")


def ask(cloud: LocalCloud, method: str, path: str) -> Any:
    """The data of an answer of the API."""
    answer = requests.request(method, f"{cloud.url}/api/v1{path}", auth=(cloud.api_key, ""), timeout=30)
    answer.raise_for_status()
    return answer.json()["data"]


def assert_nothing_to_do(example: Project, cloud: LocalCloud) -> None:
    """A second `up` changes nothing and writes nothing."""
    cloud.forget_requests()
    example.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert cloud.writes() == []


@pytest.mark.parametrize("name", ["one_instance", "filesystem", "five_instances", "two_models"])
def test_an_example_finds_the_resources_by_a_relative_link(name: str) -> None:
    link = EXAMPLES / name / "components"
    assert link.is_symlink()
    assert str(link.readlink()) == "../../components"


def test_one_instance_comes_and_goes(tmp_path: Path, cloud: LocalCloud) -> None:
    with example("one_instance", tmp_path, cloud) as one:
        one.up()
        outputs = one.outputs()
        assert cloud.ids("instances") == {outputs["instance_id"]}
        assert outputs["ip"].startswith("127.77.")
        assert outputs["instance_type"] == "gpu_1x_a10"
        assert outputs["region"] == "us-east-1"
        assert outputs["price_per_hour"] == 1.29
        assert_state_knows_the_account(one, cloud, machines=1)
        assert_nothing_to_do(one, cloud)
        one.destroy()
        assert_nothing_is_left(one, cloud)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs an OpenSSH client")
def test_the_printed_ssh_command_logs_in_and_asks_nothing(tmp_path: Path, cloud: LocalCloud) -> None:
    with example("one_instance", tmp_path, cloud) as one:
        one.up()
        outputs = one.outputs()
        key_file = tmp_path / ".ssh/one-instance-test"
        key_file.parent.mkdir()
        key_file.touch(0o600)
        key_file.write_text(outputs["ssh_private_key"])
        done = subprocess.run(
            ["sh", "-c", f"{outputs['ssh']} true"],
            env=os.environ | {"HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_an_example_opens_ssh_to_the_named_networks_and_nothing_else(tmp_path: Path, cloud: LocalCloud) -> None:
    with example("one_instance", tmp_path, cloud) as one:
        one.configure(sshFrom=["203.0.113.7"], regions=["us-east-1"])
        one.up()
        (ruleset,) = ask(cloud, "GET", "/firewall-rulesets")
        assert [(rule["port_range"], rule["source_network"]) for rule in ruleset["rules"]] == [
            ([LOCAL_SSH_PORT, LOCAL_SSH_PORT], "203.0.113.7/32")
        ]


def test_five_instances_lie_in_two_regions_and_follow_the_count(tmp_path: Path, cloud: LocalCloud) -> None:
    with example("five_instances", tmp_path, cloud) as five:
        five.up()
        outputs = five.outputs()
        assert cloud.ids("instances") == set(outputs["instance_ids"])
        assert len(set(outputs["ips"])) == 5
        assert outputs["regions"] == ["us-west-1", "us-east-1", "us-west-1", "us-east-1", "us-west-1"]
        assert outputs["price_per_hour"] == 6.45
        assert_state_knows_the_account(five, cloud, machines=5)
        assert_nothing_to_do(five, cloud)
        five.configure(count=3)
        five.up()
        assert five.output("instance_ids") == outputs["instance_ids"][:3]
        assert_state_knows_the_account(five, cloud, machines=3)
        five.destroy()
        assert_nothing_is_left(five, cloud)


def test_the_filesystem_is_kept_by_default_and_destroy_says_what_it_costs(
    filesystem: Project, cloud: LocalCloud
) -> None:
    filesystem.up()
    outputs = filesystem.outputs()
    assert cloud.ids("file-systems") == filesystem.ids("Filesystem") == {outputs["filesystem_id"]}
    assert outputs["mount_point"] == "/lambda/nfs/example-data"
    (machine,) = ask(cloud, "GET", "/instances")
    assert machine["file_system_names"] == ["example-data"]
    assert_state_knows_the_account(filesystem, cloud, machines=1)
    assert_nothing_to_do(filesystem, cloud)
    said = filesystem.destroy().output
    assert f"kept filesystem example-data in us-east-1 (retain is set): {COST_OF_NOTHING}" in said
    assert_nothing_is_left(filesystem, cloud)
    assert cloud.ids("file-systems") == {outputs["filesystem_id"]}


def test_the_filesystem_goes_when_an_up_has_said_so_before_destroy(filesystem: Project, cloud: LocalCloud) -> None:
    filesystem.up()
    machines = cloud.ids("instances")
    filesystem.configure(retain=False)
    cloud.forget_requests()
    filesystem.up()
    assert cloud.writes() == []
    assert cloud.ids("instances") == machines
    filesystem.destroy()
    assert_nothing_is_left(filesystem, cloud)
    assert cloud.ids("file-systems") == set()


def test_a_kept_filesystem_is_taken_over_by_the_next_up_which_never_deletes_it(
    filesystem: Project, cloud: LocalCloud
) -> None:
    filesystem.up()
    kept = filesystem.output("filesystem_id")
    filesystem.destroy()
    filesystem.configure(retain=False)
    said = filesystem.up().output
    assert f"took over filesystem example-data in us-east-1: {COST_OF_NOTHING}" in said
    assert filesystem.output("filesystem_id") == kept
    assert filesystem.output("filesystem_made_here") is False
    said = filesystem.destroy().output
    assert f"kept filesystem example-data in us-east-1 (it was there before this stack): {COST_OF_NOTHING}" in said
    assert_nothing_is_left(filesystem, cloud)
    assert cloud.ids("file-systems") == {kept}


@pytest.fixture
def two_models(tmp_path: Path, cloud: LocalCloud) -> Iterator[Project]:
    """The example with two endpoints; vLLM is small."""
    with example("two_models", tmp_path, cloud) as made:
        use_small_endpoint(made, cloud)
        yield made


def models_at(outputs: dict[str, Any], name: str, ca_file: Path, key_of: str = "") -> list[str]:
    """What the endpoint of a name serves, to a client that trusts the one authority; with the key of an endpoint."""
    headers = {"Authorization": f"Bearer {outputs[f'{key_of or name}_api_key']}"}
    answer = requests.get(f"{outputs[f'{name}_endpoint']}/models", headers=headers, verify=str(ca_file), timeout=30)
    return [model["id"] for model in answer.json()["data"]] if answer.ok else [str(answer.status_code)]


@pytest.mark.xfail(
    strict=True, reason="`Bundle.write` removes the archive for the first machine when the second one asks for its own"
)
def test_two_models_answer_on_machines_of_their_own_under_one_authority(
    two_models: Project, cloud: LocalCloud, tmp_path: Path
) -> None:
    two_models.configure(endpoints=MODELS)
    two_models.pulumi("config", "set", "--secret", "--path", "endpoints.small.apiKey", OWN_KEY)
    two_models.up()
    outputs = two_models.outputs()
    assert outputs["small_api_key"] == OWN_KEY
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(outputs["ca_certificate"])
    assert models_at(outputs, "small", ca_file) == [MODELS["small"]["model"]]
    assert models_at(outputs, "large", ca_file) == [MODELS["large"]["model"]]
    assert models_at(outputs, "large", ca_file, key_of="small") == ["401"]
    assert two_models.resources().count("pulumi-python:dynamic/lambdavllm:CertificateAuthority") == 1
    assert_state_knows_the_account(two_models, cloud, machines=2)
    for kind in ("instances", "ssh-keys", "firewall-rulesets"):
        names = [one["name"] for one in ask(cloud, "GET", f"/{kind}")]
        for name in ("small", "large"):
            assert len([one for one in names if one.startswith(f"two-models-test-{name}")]) == 1, (kind, names)
    assert set(sizes_of_machines(two_models)) == {"small-machine", "large-machine"}
    assert max(sizes_of_machines(two_models).values()) <= MOST_OF_A_MACHINE
    assert_nothing_to_do(two_models, cloud)

    # One that is taken out leaves the other one alone.
    large = ServingMachine(cloud, outputs["large_instance_id"])
    server = large.server
    two_models.configure(endpoints={"large": MODELS["large"]})
    two_models.up()
    assert cloud.ids("instances") == {large.instance_id}
    assert large.server == server
    assert models_at(outputs, "large", ca_file) == [MODELS["large"]["model"]]

    two_models.destroy()
    assert_nothing_is_left(two_models, cloud)


def test_a_wrong_word_for_one_endpoint_keeps_the_other_one_from_being_launched(
    two_models: Project, cloud: LocalCloud
) -> None:
    two_models.configure(endpoints={**MODELS, "other": {"port": 80}})
    said = two_models.up(succeeds=False)
    assert "two-models:port: 80 is not allowed" in said.output
    assert cloud.writes() == []
