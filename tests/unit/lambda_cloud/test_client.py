"""The client on the wire: what it sends, what it makes of answers, what it asks again and what never."""

import pytest

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.errors import (
    ApiError,
    InsufficientCapacityError,
    InUseError,
    InvalidKeyError,
    NoAnswerError,
    NotConfiguredError,
    NotFoundError,
    NotFromApiError,
    RateLimitedError,
    ServerFaultError,
)
from components.lambda_cloud.api.models import LaunchRequest
from components.lambda_cloud.api.transport import ATTEMPTS
from tests.support.jumping_clock import JumpingClock
from tests.unit.conftest import KEY, Script

LAUNCH = LaunchRequest(
    region_name="us-east-3",
    instance_type_name="gpu_1x_gh200",
    ssh_key_names=["key"],
    name="test",
    image={"family": "lambda-stack-24-04"},
)


def test_a_product_name_is_sent_since_the_edge_refuses_pythons_own(client: LambdaClient, script: Script) -> None:
    script.data([])
    client.ssh_keys()
    headers = script.received[0].headers
    assert headers["User-Agent"].startswith("pulumi-lambda-vllm/")
    assert headers["Authorization"] == f"Bearer {KEY}"


def test_without_a_key_nothing_is_sent_and_the_error_says_where_to_set_it() -> None:
    with pytest.raises(NotConfiguredError, match="LAMBDA_API_KEY"):
        LambdaClient("")


def test_unknown_fields_and_states_of_a_newer_api_are_read(client: LambdaClient, script: Script) -> None:
    script.data(
        [
            {
                "id": "0" * 32,
                "status": "hibernating",
                "workspace_id": "new",
                "region": {"name": "us-east-3", "description": "", "planet": "earth"},
                "instance_type": {
                    "name": "gpu_1x_gh200",
                    "description": "1x GH200 (96 GB)",
                    "gpu_description": "GH200 (96 GB)",
                    "price_cents_per_hour": 229,
                    "specs": {"vcpus": 64, "memory_gib": 432, "storage_gib": 4096, "gpus": 1},
                },
            }
        ]
    )
    instance = client.instance("0" * 32)
    assert instance is not None
    assert (instance.status, instance.ip) == ("hibernating", None)
    assert instance.instance_type.image_architecture == "arm64"


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (401, "global/invalid-api-key", "API key was invalid", InvalidKeyError),
        (404, "global/object-does-not-exist", "gone", NotFoundError),
        (404, "global/not-found", "gone", NotFoundError),
        (400, "ssh-keys/key-in-use", "Key is currently in use, cannot delete", InUseError),
        (400, "global/invalid-parameters", "Key is currently in use, cannot delete", InUseError),
        (400, "firewall-rulesets/firewall-ruleset-in-use", "in use", InUseError),
        (400, "global/quota-exceeded", "Quota exceeded.", ApiError),
        (409, "global/internal-error", "try later", ServerFaultError),
        (503, "provider/internal-unavailable", "Provider unavailable", ServerFaultError),
    ],
)
def test_each_error_of_the_api_has_its_class_and_keeps_code_and_text(
    client: LambdaClient, script: Script, status: int, code: str, message: str, expected: type[ApiError]
) -> None:
    script.error(status, code, message, "Do this.")
    with pytest.raises(expected) as caught:
        client.delete_ssh_key("1")
    assert caught.value.code == code
    assert message in str(caught.value)
    assert "Do this." in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_read_survives_429_broken_bodies_and_lost_connections(client: LambdaClient, script: Script) -> None:
    script.raw(429, "error code: 1015")
    script.raw(502, "<html>Bad gateway</html>")
    script.silence()
    script.raw(200, '{"data": [{"id"')
    script.data([{"id": "1", "name": "n", "public_key": "ssh-ed25519 A"}])
    assert [key.name for key in client.ssh_keys()] == ["n"]
    assert len(script.received) == ATTEMPTS


def test_after_a_429_the_client_stays_away_for_ten_seconds_at_least(
    client: LambdaClient, script: Script, clock: JumpingClock
) -> None:
    script.raw(429, "error code: 1015")
    script.data([])
    client.ssh_keys()
    assert sum(clock.slept) >= 10


def test_a_read_gives_up_after_its_attempts(client: LambdaClient, script: Script) -> None:
    script.raw(500, "oops")
    with pytest.raises(NoAnswerError, match="HTTP 500"):
        client.ssh_keys()
    assert len(script.received) == ATTEMPTS


def test_a_launch_whose_reply_was_lost_is_sent_once(client: LambdaClient, script: Script) -> None:
    script.silence()
    with pytest.raises(NoAnswerError):
        client.launch(LAUNCH)
    assert len(script.received) == 1


@pytest.mark.parametrize("status", [200, 500, 502])
def test_a_launch_with_an_unreadable_answer_may_have_been_carried_out(
    client: LambdaClient, script: Script, status: int
) -> None:
    script.raw(status, "<html>")
    with pytest.raises(NoAnswerError):
        client.launch(LAUNCH)
    assert len(script.received) == 1


def test_a_write_that_the_edge_turned_away_is_sent_again(client: LambdaClient, script: Script) -> None:
    script.raw(429, "error code: 1015")
    script.data({"id": "1", "name": "n", "public_key": "ssh-ed25519 A"})
    assert client.add_ssh_key("n", "ssh-ed25519 A").id == "1"
    assert len(script.received) == 2


def test_a_launch_that_the_edge_turned_away_is_left_to_the_caller_since_time_has_passed(
    client: LambdaClient, script: Script
) -> None:
    script.raw(429, "error code: 1015")
    with pytest.raises(RateLimitedError, match="429"):
        client.launch(LAUNCH)
    assert len(script.received) == 1


def test_the_last_word_before_a_launch_is_spoken_after_all_waiting(
    client: LambdaClient, script: Script, clock: JumpingClock
) -> None:
    script.data({"instance_ids": ["abc"]})
    client.launch(LAUNCH)

    def refuse() -> None:
        assert sum(clock.slept) > 10
        raise RuntimeError

    with pytest.raises(RuntimeError):
        client.launch(LAUNCH, before_sending=refuse)
    assert len(script.received) == 1


@pytest.mark.parametrize("data", [{}, {"instance_ids": []}, [], "yes"])
def test_a_launch_answer_without_an_id_is_no_answer(client: LambdaClient, script: Script, data: object) -> None:
    script.data(data)
    with pytest.raises(NoAnswerError):
        client.launch(LAUNCH)


def test_a_refusal_that_repeats_the_request_shows_no_key_and_stays_one_line(
    client: LambdaClient, script: Script
) -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"
    script.error(400, "global/invalid-parameters", f"user_data is wrong: {key}\nsee there" + "x" * 5000)
    with pytest.raises(ApiError) as caught:
        client.launch(LAUNCH)
    assert "b3BlbnNzaC1rZXk" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_many_that_look_at_the_same_time_cost_one_request(client: LambdaClient, script: Script) -> None:
    script.data([])
    since = client.recently()
    assert [client.instance(str(number), since) for number in range(50)] == [None] * 50
    assert [request.path for request in script.received] == ["/api/v1/instances"]


def test_whoever_asks_for_now_gets_no_older_answer(client: LambdaClient, script: Script) -> None:
    script.data([])
    client.instances()
    client.instances()
    assert len(script.received) == 2


def test_no_capacity_is_told_apart_from_all_other_refusals(client: LambdaClient, script: Script) -> None:
    script.error(400, "instance-operations/launch/insufficient-capacity")
    with pytest.raises(InsufficientCapacityError):
        client.launch(LAUNCH)


def test_a_write_never_follows_a_redirect(client: LambdaClient, script: Script) -> None:
    script.raw(307, "http://127.0.0.1:1/elsewhere")
    with pytest.raises(NotFromApiError):
        client.launch(LAUNCH)
    assert len(script.received) == 1


def test_a_launch_sends_exactly_one_key_and_no_empty_fields(client: LambdaClient, script: Script) -> None:
    script.data({"instance_ids": ["abc"]})
    client.launch(LAUNCH)
    assert script.received[0].path == "/api/v1/instance-operations/launch"
    assert script.received[0].body == {
        "region_name": "us-east-3",
        "instance_type_name": "gpu_1x_gh200",
        "ssh_key_names": ["key"],
        "name": "test",
        "image": {"family": "lambda-stack-24-04"},
        "tags": [],
        "firewall_rulesets": [],
    }


def test_the_key_is_in_no_error_text(client: LambdaClient, script: Script) -> None:
    script.error(401, "global/invalid-api-key", "API key was invalid, expired, or deleted.")
    with pytest.raises(InvalidKeyError) as caught:
        client.instances()
    assert KEY not in str(caught.value)
