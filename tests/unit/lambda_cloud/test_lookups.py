"""What Lambda has, for a program or a shell."""

import pytest

from components.lambda_cloud import lookups
from components.lambda_cloud.api.errors import NotConfiguredError
from tests.support.emulated import EmulatedCloud


def test_types_come_with_their_price_the_cheapest_first(account: EmulatedCloud) -> None:
    offers = lookups.instance_types(account.client)
    prices = [offer.dollars_per_hour for offer in offers]
    assert prices == sorted(prices)
    gh200 = next(offer for offer in offers if offer.name == "gpu_1x_gh200")
    assert (gh200.dollars_per_hour, gh200.architecture, gh200.gpus) == (2.29, "arm64", 1)
    assert (gh200.vcpus, gh200.memory_gib, gh200.storage_gib) == (64, 432, 4096)
    assert gh200.regions == ("us-east-3",)


def test_regions_of_a_type_are_those_that_have_one_free_now(account: EmulatedCloud) -> None:
    before = lookups.instance_types(account.client)
    account.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": []})
    after = lookups.instance_types(account.client)
    assert [one.regions for one in before if one.name == "gpu_1x_gh200"] == [("us-east-3",)]
    assert [one.regions for one in after if one.name == "gpu_1x_gh200"] == [()]


def test_each_argument_narrows_the_list_of_images(account: EmulatedCloud) -> None:
    everything = lookups.images(account.client)
    arm = lookups.images(account.client, "lambda-stack-24-04", "arm64", "us-east-3")
    assert [(one.family, one.architecture, one.region.name) for one in arm] == [
        ("lambda-stack-24-04", "arm64", "us-east-3")
    ]
    for narrowed, of in (
        (lookups.images(account.client, family="ubuntu-24-04"), {"ubuntu-24-04"}),
        (lookups.images(account.client, architecture="arm64"), {"arm64"}),
        (lookups.images(account.client, region="us-west-1"), {"us-west-1"}),
    ):
        assert 0 < len(narrowed) < len(everything)
        assert all(of & {one.family, one.architecture, one.region.name} for one in narrowed)


def test_regions_have_a_description(account: EmulatedCloud) -> None:
    assert {one.name: one.description for one in lookups.regions(account.client)}["us-east-3"] == "Washington DC, USA"


def test_the_key_is_that_of_the_environment_unless_given(
    account: EmulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMBDA_CLOUD_REQUEST_INTERVAL", "0")
    monkeypatch.setenv("LAMBDA_API_KEY", f" {account.credentials.api_key}\n")
    assert lookups.regions(lookups.account(url=account.url))
    monkeypatch.setenv("LAMBDA_API_KEY", "wrong")
    assert lookups.regions(lookups.account(account.credentials.api_key, account.url))


def test_without_a_key_it_is_said_where_to_set_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_API_KEY", "  ")
    with pytest.raises(NotConfiguredError, match="LAMBDA_API_KEY"):
        lookups.account()


def test_looking_changes_nothing(account: EmulatedCloud) -> None:
    lookups.instance_types(account.client)
    lookups.images(account.client)
    lookups.regions(account.client)
    assert {entry["method"] for entry in account.requests()} == {"GET"}
