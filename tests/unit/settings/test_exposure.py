"""What `allowedCidrs` opens, said before it is open."""

from typing import Any

import pytest

from components.settings import Settings
from components.settings.exposure import exposure


def told(*networks: str, **more: Any) -> list[str]:
    return exposure(Settings.model_validate({"lambdaApiKey": "x", "allowedCidrs": list(networks), **more}))


def test_a_few_networks_are_nothing_to_warn_of() -> None:
    assert told() == []
    assert told("8.8.8.8/32", "9.9.0.0/16") == []
    # A whole /8 is what one organisation may have.
    assert told("12.0.0.0/8") == []


@pytest.mark.parametrize(
    "networks",
    [
        ["0.0.0.0/0"],
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/1"],
        ["0.0.0.0/0", "8.8.8.8/32"],
    ],
)
def test_a_port_that_is_open_to_the_world_is_told_with_what_is_left_to_protect_it(networks: list[str]) -> None:
    first, *_ = told(*networks, port=9000)
    assert first.startswith("allowedCidrs: ")
    assert all(network in first for network in networks if network != "8.8.8.8/32")
    assert "the whole internet may reach port 9000, and the key is all that protects the model" in first


def test_without_tls_the_world_is_told_to_read_along() -> None:
    (line,) = told("0.0.0.0/0", tls="off")
    assert "tls is off" in line
    assert "the key itself crosses it in the clear" in line
    assert "tls is off" not in told("0.0.0.0/0")[0]


def test_networks_that_are_wider_than_one_organisation_are_told_with_their_share() -> None:
    (line,) = told("64.0.0.0/3", "9.9.9.9/32")
    assert "64.0.0.0/3 lets in 536,870,912 addresses, 12.5 % of the internet, to port 8000" in line


@pytest.mark.parametrize(
    "network", ["10.0.0.0/8", "10.1.2.3/32", "172.16.0.0/12", "192.168.1.0/24", "127.0.0.0/8", "100.64.0.0/10",
                "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"]
)  # fmt: skip
def test_a_network_that_never_comes_over_the_internet_is_told_to_let_nobody_in(network: str) -> None:
    (line,) = told(network)
    assert line.startswith(f"allowedCidrs: {network} lets nobody in: ")
    assert "the public address" in line


def test_an_address_of_the_documentation_is_told_to_be_one() -> None:
    (line,) = told("203.0.113.7/32")
    assert "203.0.113.7/32 lets nobody in: it stands in documentation" in line


@pytest.mark.parametrize("url", ["http://127.0.0.1:8600", "http://localhost:8600", "http://[::1]:8600"])
def test_with_a_cloud_on_this_computer_networks_of_this_computer_are_right(url: str) -> None:
    assert told("127.0.0.0/8", "192.168.1.0/24", apiUrl=url) == []
    assert len(told("0.0.0.0/0", apiUrl=url)) == 1


def test_a_network_that_another_one_holds_already_is_told() -> None:
    assert told("9.9.9.0/24", "9.9.9.9", "9.9.9.9/32") == [
        "allowedCidrs: 9.9.9.9/32 is a part of 9.9.9.0/24: leave one of them out",
        "allowedCidrs: 9.9.9.9/32 is there twice: leave one of them out",
    ]
