"""Instance types, regions, images."""

from tests.support.cloud_api.account import Account


def test_types_are_a_map_with_price_size_and_capacity(account: Account) -> None:
    types = account.get("/instance-types").data
    assert types["gpu_1x_gh200"] == {
        "instance_type": {
            "name": "gpu_1x_gh200",
            "description": "1x GH200 (96 GB)",
            "gpu_description": "GH200 (96 GB)",
            "price_cents_per_hour": 229,
            "specs": {"vcpus": 64, "memory_gib": 432, "storage_gib": 4096, "gpus": 1},
            "architecture": "arm64",
        },
        "regions_with_capacity_available": [{"name": "us-east-3", "description": "Washington DC, USA"}],
    }
    assert types["cpu_4x_general"]["instance_type"]["gpu_description"] == "N/A"


def test_a_sold_out_type_is_listed_and_cannot_be_launched(account: Account) -> None:
    account.launched()
    account.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": []})
    assert account.get("/instance-types").data["gpu_1x_gh200"]["regions_with_capacity_available"] == []
    answer = account.launch()
    assert (answer.status, answer.code) == (400, "instance-operations/launch/insufficient-capacity")
    assert len(account.get("/instances").data) == 1


def test_every_type_can_be_launched_where_it_says(account: Account) -> None:
    account.launched()
    for name, offer in account.get("/instance-types").data.items():
        assert offer["regions_with_capacity_available"], name
        for region in offer["regions_with_capacity_available"]:
            assert account.launch(instance_type_name=name, region_name=region["name"]).status == 200


def test_images_have_a_row_for_each_region_and_keep_their_id(account: Account) -> None:
    stack = [row for row in account.get("/images").data if row["family"] == "lambda-stack-24-04"]
    x86 = [row for row in stack if row["architecture"] == "x86_64"]
    assert len({row["id"] for row in x86}) == 1
    assert len({row["region"]["name"] for row in x86}) == len(x86) == 16
    assert [row["region"]["name"] for row in stack if row["architecture"] == "arm64"] == ["us-east-3"]


def test_a_region_that_gets_arm64_machines_gets_arm64_images(account: Account) -> None:
    account.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": ["us-east-1"]})
    regions = {row["region"]["name"] for row in account.get("/images").data if row["architecture"] == "arm64"}
    assert regions == {"us-east-1", "us-east-3"}
    assert account.launched(region_name="us-east-1", image={"family": "lambda-stack-24-04"})


def test_regions_are_listed_with_descriptions(account: Account) -> None:
    assert {"name": "us-east-3", "description": "Washington DC, USA"} in account.get("/regions").data
