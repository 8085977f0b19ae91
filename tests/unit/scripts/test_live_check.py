"""The check on a real machine: what it may spend, and what it writes down."""

import io
import signal
import threading
import time

import pytest

from components.lambda_cloud.api.models import LaunchRequest, Tag
from components.lambda_cloud.instance.launch_order import TOKEN_TAG
from components.model.hub.client import Hub
from components.settings import Settings
from components.vllm.preflight import preflight
from scripts.live_check.__main__ import agree, end, is_agreed, is_gone, time_limit, uninterrupted
from scripts.live_check.machine import kv_cache_tokens
from scripts.live_check.options import read_options
from scripts.live_check.report import Report
from scripts.live_check.stack import LiveCheckError, Stack
from tests.support.emulated import PUBLIC_KEY, emulated_cloud


def test_a_dollar_on_a_gh200_is_twenty_two_minutes_with_the_end_of_the_machine_kept_back() -> None:
    assert read_options([]).minutes(2.29) == pytest.approx(22.2, abs=0.1)


def test_what_is_not_said_is_left_to_the_stack() -> None:
    configuration = read_options([]).configuration
    assert configuration["model"] == "meta-llama/Llama-3.1-8B-Instruct"
    assert not configuration.keys() & {"apiUrl", "hfEndpoint", "sshPort", "vllmArgs", "imageFamily"}


def test_flags_of_the_server_have_their_types() -> None:
    words = ["--vllm-arg", "enforce-eager=true", "--vllm-arg", "max-num-seqs=4", "--vllm-arg", "dtype=bfloat16"]
    flags = read_options(words).configuration["vllmArgs"]
    assert flags == {"enforce-eager": True, "max-num-seqs": 4, "dtype": "bfloat16"}


def test_the_report_shows_no_secret_wherever_it_stands() -> None:
    report = Report("a check")
    report.check("answered", holds=True, detail="sk-12345")
    report.sections["server"] = "listening on 203.0.113.9 with hf_abc"
    text = report.text({"api_key": "sk-12345", "ip": "203.0.113.9", "HF_TOKEN": "hf_abc", "empty": ""})
    assert not any(secret in text for secret in ("sk-12345", "203.0.113.9", "hf_abc"))
    assert "[api_key]" in text


def test_a_check_of_nothing_holds_nothing() -> None:
    report = Report("a check")
    assert not report.holds
    report.check("one", holds=True)
    assert report.holds
    report.check("two", holds=False)
    assert not report.holds
    assert "**NO**" in report.text({})


def test_the_kv_cache_is_read_from_vllms_own_line() -> None:
    line = "INFO [kv_cache_utils.py] GPU KV cache size: 586,704 tokens, Maximum concurrency for 131,072 tokens: 4.48x"
    assert kv_cache_tokens(line) == 586_704
    assert kv_cache_tokens("nothing") is None


@pytest.mark.parametrize("dollars", ["nan", "inf", "0", "-1", "1e9", "one"])
def test_what_is_no_amount_of_money_is_refused(dollars: str) -> None:
    with pytest.raises(SystemExit):
        read_options(["--dollars", dollars])


def test_measuring_ends_when_the_money_does() -> None:
    """A machine that answers slowly is destroyed in time all the same."""
    with pytest.raises(LiveCheckError, match="was over"), time_limit(time.monotonic()):
        threading.Event().wait(60)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_terminal_that_is_closed_does_not_end_the_end_of_the_machine() -> None:
    def work() -> bool:
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(one)
        return True

    before = signal.getsignal(signal.SIGHUP)
    assert uninterrupted(work)
    assert signal.getsignal(signal.SIGHUP) == before


class Unending(Stack):
    """A stack whose destroy fails."""

    def __init__(self) -> None:
        pass

    def destroy(self) -> bool:
        return False


def test_a_machine_that_could_not_be_destroyed_is_told() -> None:
    with pytest.raises(LiveCheckError, match="THE MACHINE MAY STILL BILL"):
        end(Unending())


def test_without_a_terminal_nobody_has_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert not is_agreed()


def test_money_is_not_spent_on_a_check_that_cannot_get_to_the_end(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """141 GB take longer to download than a dollar lasts."""
    settings = Settings.model_validate({"lambdaApiKey": "x", "model": "full-size/Llama-3.1-70B-Instruct"})
    with emulated_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        plan = preflight(settings, cloud.client, Hub(cloud.url, cloud.credentials.hf_token))
    with pytest.raises(
        LiveCheckError, match=r"expected after \d+ minutes, and \$1.00 is enough for 22: raise --dollars"
    ):
        agree(read_options(["--yes"]), plan, 22.2)
    agree(read_options(["--yes", "--dollars", "3"]), plan, 74.6)
    assert "first token about" in capsys.readouterr().out


def test_the_machine_is_gone_when_none_carries_our_token_whatever_others_are_called(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with emulated_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        key = cloud.client.add_ssh_key("key", PUBLIC_KEY)
        launched = LaunchRequest(
            region_name="us-east-3",
            instance_type_name="gpu_1x_gh200",
            ssh_key_names=[key.name],
            name="lambda-vllm-live-check",
            image={"family": "lambda-stack-24-04"},
            tags=[Tag(key=TOKEN_TAG, value="ours")],
        )
        machine = cloud.client.launch(launched)
        assert is_gone(cloud.client, {"theirs"})
        assert not is_gone(cloud.client, {"theirs", "ours"})
        assert not is_gone(cloud.client, None)
        cloud.client.terminate(machine)
        for _ in range(200):
            if is_gone(cloud.client, {"ours"}):
                break
            cloud.client.pause()
        assert is_gone(cloud.client, {"ours"})
