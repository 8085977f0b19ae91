"""The control side and the page serve this computer's own user, not web pages from elsewhere."""

import pytest

from localcloud.machines.commands import plain_command
from tests.support.cloud_api.account import Account

FAULT = {"operation": "launch", "kind": "error-500"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=["rebound name", "name like an address", "other origin", "no origin", "fetch from elsewhere"],
)
def test_a_web_page_elsewhere_cannot_set_a_fault(account: Account, headers: dict[str, str]) -> None:
    refused = account.call("POST", "/_localcloud/faults", FAULT, headers)
    assert refused.status == 403
    assert "\n" not in refused.json["error"]
    assert account.control("GET", "/overview")["faults"] == []


@pytest.mark.parametrize("path", ["/", "/_localcloud/overview", "/_localcloud/requests"])
def test_a_rebound_name_reads_nothing(account: Account, path: str) -> None:
    assert account.call("GET", path, headers={"Host": "evil.example"}).status == 403


def test_the_page_itself_and_clients_without_a_browser_may_set_faults(account: Account) -> None:
    own = {"Host": "localhost:8600", "Origin": "http://localhost:8600", "Sec-Fetch-Site": "same-origin"}
    assert account.call("POST", "/_localcloud/faults", FAULT, own).status == 200
    account.control("POST", "/faults", FAULT)
    assert len(account.control("GET", "/overview")["faults"]) == 2


def test_the_overview_counts_the_price_of_what_is_billed(account: Account) -> None:
    account.launched()
    account.terminate(account.launched())
    now = account.control("GET", "/overview")
    assert now["cents_per_hour"] == 229 * len(account.billed())
    assert {one["commands"] == [] and one["since"] > 0 for one in now["instances"]} == {True}
    assert "error-500" in now["kinds"]["launch"]
    assert now["requests"][0]["operation"] == "terminate"


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (
            ["/opt/v/bin/python3.11", "/opt/v/bin/vllm", "serve", "org/Model", "--api-key", "hush"],
            "python3.11 vllm serve",
        ),
        (["python", "-m", "http.server", "8000"], "python -m http.server"),
        (["sh", "-c", "TOKEN=hush exec x"], "sh"),
        (["curl", "hf_AbCdEf123"], "curl"),
        (["/bin/sleep", "600"], "sleep"),
        (["-bash"], "bash"),
        ([], ""),
    ],
    ids=["script", "module", "shell", "token", "number", "login shell", "nothing"],
)
def test_a_command_is_shown_without_what_could_be_secret(argv: list[str], shown: str) -> None:
    assert plain_command(argv) == shown
