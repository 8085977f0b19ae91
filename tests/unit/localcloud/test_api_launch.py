"""What a launch accepts and refuses."""

import pytest

from tests.support.cloud_api.account import PUBLIC_KEY, Account


@pytest.fixture
def with_key(account: Account) -> Account:
    """An account with one SSH key, named `key`."""
    account.post("/ssh-keys", {"name": "key", "public_key": PUBLIC_KEY})
    return account


def test_everything_asked_for_is_on_the_instance(with_key: Account) -> None:
    ruleset = with_key.post("/firewall-rulesets", {"name": "set", "region": "us-east-3", "rules": []}).data
    instance_id = with_key.launched(
        name="mine",
        hostname="head-1",
        image={"family": "lambda-stack-22-04"},
        user_data="#cloud-config\n",
        tags=[{"key": "a:b-1", "value": "v"}],
        firewall_rulesets=[{"id": ruleset["id"]}],
        quantity=1,
    )
    instance = with_key.get(f"/instances/{instance_id}").data
    assert instance["name"] == "mine"
    assert instance["hostname"] == "head-1"
    assert instance["image"] == {"id": "0eb41057-8eb0-4303-8364-ca93b87e49b5", "family": "lambda-stack-22-04"}
    assert instance["tags"] == [{"key": "a:b-1", "value": "v"}]
    assert instance["firewall_rulesets"] == [{"id": ruleset["id"]}]
    assert instance["ssh_key_names"] == ["key"]
    assert instance["file_system_names"] == []
    assert "file_system_mounts" not in instance
    assert "#cloud-config" not in str(instance)


def test_without_an_image_a_gh200_gets_the_arm64_stack(with_key: Account) -> None:
    instance = with_key.get(f"/instances/{with_key.launched()}").data
    assert instance["image"] == {"id": "e57d5fc7-36e7-4f9a-953f-3429c1f7e3b7", "family": "lambda-stack-24-04"}


def test_names_of_instances_need_not_be_unique(with_key: Account) -> None:
    assert with_key.launched(name="same") != with_key.launched(name="same")


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"region_name": None}, "'region_name'"),
        ({"region_name": "mars-1"}, "Region 'mars-1' does not exist"),
        ({"instance_type_name": "gpu_1x_abacus"}, "Instance type 'gpu_1x_abacus' does not exist"),
        ({"ssh_key_names": []}, "'ssh_key_names'"),
        ({"ssh_key_names": ["key", "key"]}, "'ssh_key_names'"),
        ({"hostname": "Head"}, "'hostname'"),
        ({"hostname": "h" * 64}, "'hostname'"),
        ({"name": "n" * 65}, "'name'"),
        ({"image": {}}, "'image'"),
        ({"image": {"id": "a", "family": "b"}}, "'image'"),
        ({"user_data": "#!" + "x" * 1_000_000}, "'user_data'"),
        ({"tags": [{"key": "k", "value": "v"}]}, "'tags.0.key'"),
        ({"tags": [{"key": "Key", "value": "v"}]}, "'tags.0.key'"),
        ({"tags": [{"key": "lambda-ai-x", "value": "v"}]}, "'tags.0.key'"),
        ({"tags": [{"key": "key", "value": "v" * 129}]}, "'tags.0.value'"),
        ({"firewall_rulesets": [{"id": "abc"}]}, "'firewall_rulesets.0.id'"),
        ({"file_system_mounts": [{"mount_point": "/etc", "file_system_id": "0" * 32}]}, "mount_point'"),
        ({"file_system_mounts": [{"mount_point": "/data/x", "file_system_id": "abc"}]}, "file_system_id'"),
        ({"quantity": 2}, "Requested too many instances."),
    ],
)
def test_a_wrong_field_is_refused_by_name(with_key: Account, fields: dict[str, object], part: str) -> None:
    answer = with_key.launch(**fields)
    assert (answer.status, answer.code) == (400, "global/invalid-parameters")
    assert part in answer.message
    assert with_key.get("/instances").data == []


@pytest.mark.parametrize(
    "fields",
    [
        {"ssh_key_names": ["other"]},
        {"file_system_names": ["weights"]},
        {"file_system_mounts": [{"mount_point": "/data/x", "file_system_id": "0" * 32}]},
        {"firewall_rulesets": [{"id": "0" * 32}]},
        {"image": {"family": "windows"}},
        {"image": {"family": "gpu-base-24-04"}},
        {"image": {"id": "0" * 32}},
    ],
)
def test_what_is_named_and_not_there_is_refused(with_key: Account, fields: dict[str, object]) -> None:
    answer = with_key.launch(**fields)
    assert (answer.status, answer.code) == (400, "global/object-does-not-exist")
    assert with_key.get("/instances").data == []


def test_a_ruleset_of_another_region_is_refused(with_key: Account) -> None:
    ruleset = with_key.post("/firewall-rulesets", {"name": "set", "region": "us-west-1", "rules": []}).data
    answer = with_key.launch(firewall_rulesets=[{"id": ruleset["id"]}])
    assert (answer.status, answer.code) == (400, "global/object-does-not-exist")


def test_a_type_that_is_not_sold_in_the_region_has_no_capacity(with_key: Account) -> None:
    answer = with_key.launch(region_name="us-west-1")
    assert (answer.status, answer.code) == (400, "instance-operations/launch/insufficient-capacity")


def test_user_data_of_a_megabyte_is_accepted(with_key: Account) -> None:
    assert with_key.launch(user_data="\n" * 1_000_000).status == 200


def test_a_refusal_never_repeats_the_user_data(with_key: Account) -> None:
    answer = with_key.launch(user_data={"token": "hf_secret"})
    assert answer.status == 400
    assert "hf_secret" not in answer.text
