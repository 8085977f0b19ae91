"""The check on a real machine: what it may spend, and what it writes down."""

import pytest

from scripts.live_check.machine import kv_cache_tokens
from scripts.live_check.options import read_options
from scripts.live_check.report import Report


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
