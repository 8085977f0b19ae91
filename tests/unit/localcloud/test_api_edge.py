"""What stands before the API: edge, key, envelope."""

import base64
from pathlib import Path

import pytest

from localcloud.api.edge import BAN, Bouncer, RateLimit, TokenBucket
from tests.support.cloud_api.account import Account, open_account
from tests.support.jumping_clock import JumpingClock

INSTANCES = "/api/v1/instances"


def test_every_form_of_the_key_is_let_in(account: Account) -> None:
    encoded = base64.b64encode(f"{account.api_key}:".encode()).decode()
    for header in (f"Bearer {account.api_key}", f"Basic {encoded}", f"Basic {account.api_key}"):
        assert account.call("GET", INSTANCES, headers={"Authorization": header}).data == []


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic d3Jvbmc6", "Digest x", "Bearer", "Bearer \xff"])
def test_a_wrong_key_is_refused(account: Account, header: str) -> None:
    answer = account.call("GET", INSTANCES, headers={"Authorization": header})
    assert (answer.status, answer.code) == (401, "global/invalid-api-key")
    assert answer.message == "API key was invalid, expired, or deleted."


def test_the_key_with_a_password_is_refused(account: Account) -> None:
    encoded = base64.b64encode(f"{account.api_key}:password".encode()).decode()
    assert account.call("GET", INSTANCES, headers={"Authorization": f"Basic {encoded}"}).status == 401


def test_no_key_is_told_apart_from_a_wrong_one(account: Account) -> None:
    answer = account.call("GET", INSTANCES, headers={})
    assert (answer.status, answer.code) == (401, "global/invalid-api-key")
    assert answer.message == "No API key was provided."


@pytest.mark.parametrize("agent", ["Python-urllib/3.11", "Python-urllib/3.14"])
def test_the_edge_refuses_the_agent_of_pythons_urllib(account: Account, agent: str) -> None:
    headers = {"Authorization": f"Bearer {account.api_key}", "User-Agent": agent}
    answer = account.call("GET", INSTANCES, headers=headers)
    assert (answer.status, answer.json) == (403, None)


@pytest.mark.parametrize("agent", ["", "curl/8.14.1", "my-tool, after Python-urllib/3.11"])
def test_the_edge_lets_in_every_other_agent(account: Account, agent: str) -> None:
    headers = {"Authorization": f"Bearer {account.api_key}", "User-Agent": agent}
    assert account.call("GET", INSTANCES, headers=headers).data == []


def test_a_client_that_names_no_agent_is_let_in(account: Account) -> None:
    """Rust's reqwest and HTTP written by hand send no such header."""
    sent = account.raw("/instances", agent=None)
    assert account.outcome(sent).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/user", "/billing", "/instances/", "/instance-operations/launch/x"])
def test_an_unknown_path_gets_the_envelope(account: Account, path: str) -> None:
    answer = account.get(path)
    assert (answer.status, answer.code) == (404, "global/not-found")


def test_a_wrong_method_gets_the_envelope(account: Account) -> None:
    assert account.call("PUT", INSTANCES, {}).status == 405
    assert "message" in account.call("PUT", INSTANCES, {}).json["error"]


@pytest.mark.parametrize(
    ("instance_id", "found"), [("abc", "found 3"), ("0" * 33, "found 33"), ("g" * 32, "invalid character")]
)
def test_a_garbled_id_is_a_wrong_parameter_and_not_a_missing_object(
    account: Account, instance_id: str, found: str
) -> None:
    answer = account.get(f"/instances/{instance_id}")
    assert (answer.status, answer.code) == (400, "global/invalid-parameters")
    assert answer.message.startswith("Error in request path at 'id': Input should be a valid UUID, ")
    assert found in answer.message


def test_an_id_may_be_written_with_dashes(account: Account) -> None:
    instance_id = account.launched()
    dashed = "-".join((instance_id[:8], instance_id[8:12], instance_id[12:16], instance_id[16:20], instance_id[20:]))
    assert account.get(f"/instances/{dashed}").data["id"] == instance_id


def test_a_body_that_is_not_json_is_refused_in_one_line(account: Account) -> None:
    answer = account.post("/ssh-keys", "not an object")
    assert (answer.status, answer.code) == (400, "global/invalid-parameters")
    assert "\n" not in answer.message


@pytest.mark.parametrize("rate_limit", ["lambda", 1.0])
def test_the_second_launch_within_twelve_seconds_is_stopped_by_the_edge(tmp_path: Path, rate_limit: RateLimit) -> None:
    with open_account(tmp_path, rate_limit=rate_limit) as account:
        answers = [account.launch() for _ in range(2)]
    assert [answer.status for answer in answers] == [400, 429]
    assert answers[1].json is None
    assert answers[1].text == "error code: 1015"


def test_a_burst_of_requests_is_stopped_by_the_edge(tmp_path: Path) -> None:
    with open_account(tmp_path, rate_limit="lambda") as account:
        statuses = [account.get("/regions").status for _ in range(5)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_a_factor_shortens_both_intervals(tmp_path: Path) -> None:
    with open_account(tmp_path, rate_limit=0.2) as account:
        account.launch()
        account.wait(2.4)
        assert [account.launch().status for _ in range(2)] == [400, 429]
        account.wait(0.41)
        assert [account.get("/regions").status for _ in range(2)] == [200, 200]


def test_a_factor_may_lengthen_the_intervals(tmp_path: Path) -> None:
    with open_account(tmp_path, rate_limit=100) as account:
        statuses = [account.get("/regions").status for _ in range(3)]
        assert statuses == [200, 200, 429]
        account.wait(99)
        assert account.get("/regions").status == 429


def test_a_client_that_keeps_to_the_limit_is_never_stopped() -> None:
    clock = JumpingClock()
    bucket = TokenBucket(12.0, 1.05, clock)
    for _ in range(20):
        assert bucket.take()
        clock.sleep(11.9)
        assert bucket.take()
        clock.sleep(12.1)


def test_a_client_that_asks_too_early_waits_the_rest_of_the_interval() -> None:
    clock = JumpingClock()
    bucket = TokenBucket(12.0, 1.05, clock)
    assert bucket.take()
    clock.sleep(10)
    assert not bucket.take()
    clock.sleep(2)
    assert bucket.take()


def test_a_client_that_goes_on_regardless_is_banned_and_let_in_again_after_a_while() -> None:
    clock = JumpingClock()
    bouncer = Bouncer(BAN, 1.0, clock)
    for _ in range(BAN.refusals):
        assert not bouncer.shut_for()
        bouncer.refused()
        clock.sleep(0.1)
    assert bouncer.shut_for()
    clock.sleep(BAN.seconds)
    assert not bouncer.shut_for()
    bouncer.refused()
    assert not bouncer.shut_for()


@pytest.mark.parametrize("factor", [0.25, 1.0])
def test_a_client_that_waits_an_interval_after_each_refusal_is_never_banned(factor: float) -> None:
    clock = JumpingClock()
    bouncer = Bouncer(BAN, factor, clock)
    for _ in range(100):
        bouncer.refused()
        assert not bouncer.shut_for()
        clock.sleep(1.1 * factor)


def test_a_banned_client_gets_a_page_and_nothing_is_done_for_it(tmp_path: Path) -> None:
    with open_account(tmp_path, rate_limit=1000) as account:
        answers = [account.post("/ssh-keys", {"name": f"key{one}"}) for one in range(2 + BAN.refusals + 1)]
        assert {answer.status for answer in answers[2:]} == {429}
        assert answers[-2].text == "error code: 1015"
        assert "banned temporarily" in answers[-1].text
        assert answers[-1].json is None
        # The control side has no limits.
        assert account.control("GET", "/instances") == []
    with open_account(tmp_path) as account:
        assert [key["name"] for key in account.get("/ssh-keys").data] == ["key0", "key1"]


def test_the_key_may_be_followed_by_the_colon_that_the_document_writes(account: Account) -> None:
    encoded = base64.b64encode(account.api_key.encode()).decode()
    assert account.call("GET", INSTANCES, headers={"Authorization": f"Basic {encoded}:"}).data == []


def test_a_wrong_method_is_told_which_are_right(account: Account) -> None:
    assert account.call("DELETE", INSTANCES).status == 405
    assert account.call("DELETE", "/api/v1/firewall-rulesets/global").status == 405


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ssh-keys", {"name": "mine", "public_key": None}),
        ("/ssh-keys", {"name": 5}),
        ("/filesystems", {"name": "weights", "region": None}),
        ("/firewall-rulesets", {"name": "set", "region": "us-east-3", "rules": None}),
        ("/instance-operations/terminate", {"instance_ids": None}),
        ("/instance-operations/terminate", {"instance_ids": ["abc"]}),
        ("/instance-operations/terminate", []),
    ],
)
def test_a_value_of_another_type_is_refused(account: Account, path: str, body: object) -> None:
    answer = account.post(path, body)
    assert (answer.status, answer.code) == (400, "global/invalid-parameters")


def test_a_body_that_is_too_large_is_a_wrong_parameter(account: Account) -> None:
    answer = account.post("/ssh-keys", {"name": "x" * 9_000_000})
    assert (answer.status, answer.code) == (400, "global/invalid-parameters")


def test_what_the_limits_still_allow_is_shown_and_looking_costs_nothing(tmp_path: Path) -> None:
    with open_account(tmp_path, rate_limit=100.0) as account:
        for _ in range(3):
            assert account.control("GET", "/overview")["budget"] == {
                "requests": 2.0,
                "launches": 1.05,
                "banned_seconds": 0.0,
            }
        account.get("/regions")
        assert account.control("GET", "/overview")["budget"]["requests"] == 1.0
    with open_account(tmp_path) as account:
        assert account.control("GET", "/overview")["budget"] is None
