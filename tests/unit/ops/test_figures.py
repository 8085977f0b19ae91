"""What is reckoned from the server's own figures; metrics.txt is what vLLM 0.32.0 gave after 18 requests."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.errors import OpsError
from ops.machine_state import read_answers
from ops.metrics import read_metrics
from ops.price import dollars_for, dollars_per_million_tokens
from ops.status import Status, cost, figures
from ops.status_text import dollars, duration, lines, seconds, start_line

TEXT = (Path(__file__).parents[2] / "support/metrics.txt").read_text()
STARTED = 1795538651.74
OUT = 'vllm:generation_tokens_total{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"}'


def with_output_tokens(count: int) -> str:
    return TEXT.replace(f"{OUT} 248.0", f"{OUT} {count}.0")


def test_the_figures_are_those_of_the_server() -> None:
    metrics = read_metrics(TEXT)
    found = figures(metrics, metrics, 3, STARTED + 62)
    assert (found.running, found.waiting, found.preemptions) == (0, 0, 0)
    assert (found.prompt_tokens, found.output_tokens) == (499, 248)
    assert sum(found.finished.values()) == found.finished["length"] == 18
    assert found.uptime == pytest.approx(62)
    assert found.output_tokens_per_second_since_start == pytest.approx(4)
    assert found.prefix_cache_hit_rate == 0
    # A median would be told as half the first bucket, 0.15 s.
    assert found.queue_mean == pytest.approx(0.000463 / 18, rel=0.01)


def test_a_median_lies_in_its_bucket_as_promql_has_it() -> None:
    metrics = read_metrics(TEXT)
    # 18 requests, 6 under 20 ms and 12 under 40 ms: the ninth is half way.
    assert metrics.quantile("vllm:time_to_first_token_seconds", 0.5) == pytest.approx(0.03)
    # 230 gaps, 154 under 10 ms, the first bucket.
    assert metrics.quantile("vllm:inter_token_latency_seconds", 0.5) == pytest.approx(0.01 * 115 / 154)
    assert metrics.quantile("vllm:time_to_first_token_seconds", 1) == pytest.approx(0.5)


def test_what_lies_above_the_last_bound_is_told_as_that_bound() -> None:
    metrics = read_metrics('# TYPE t histogram\nt_bucket{le="1.0"} 1\nt_bucket{le="+Inf"} 10\nt_count 10\nt_sum 90\n')
    assert metrics.quantile("t", 0.95) == 1.0


def test_what_was_never_counted_is_not_known_rather_than_zero() -> None:
    empty = read_metrics("")
    found = figures(empty, empty, 3, STARTED)
    assert found.uptime is found.ttft_median is found.kv_cache_usage is found.output_tokens_per_second is None
    none_yet = read_metrics('# TYPE t histogram\nt_bucket{le="1.0"} 0\nt_bucket{le="+Inf"} 0\nt_count 0\nt_sum 0\n')
    assert none_yet.quantile("t", 0.5) is None


def test_several_engines_are_added_up_and_shares_are_averaged() -> None:
    two = read_metrics(
        '# TYPE a gauge\na{engine="0"} 1\na{engine="1"} 3\n# TYPE b gauge\nb{engine="0"} 0.2\nb{engine="1"} 0.6\n'
    )
    assert two.total("a") == 4
    assert two.total("a", engine="1") == 3
    assert two.mean("b") == pytest.approx(0.4)


def test_the_rate_is_of_the_seconds_between_two_reads_also_over_a_restart() -> None:
    before, after = read_metrics(TEXT), read_metrics(with_output_tokens(548))
    assert figures(before, after, 3, STARTED).output_tokens_per_second == pytest.approx(100)
    assert figures(after, read_metrics(with_output_tokens(30)), 3, STARTED).output_tokens_per_second == 10


def test_a_text_that_is_not_of_prometheus_is_an_error_of_one_line() -> None:
    with pytest.raises(OpsError, match="/metrics cannot be read"):
        read_metrics("<html>\n{not metrics} at all\n")


def test_dollars_per_million_tokens_are_the_hours_price_over_what_an_hour_makes() -> None:
    assert dollars_per_million_tokens(3.6, 1000) == pytest.approx(1.0)
    assert dollars_per_million_tokens(2.29, 24.4) == pytest.approx(26.07, abs=0.01)
    assert dollars_per_million_tokens(None, 10) is dollars_per_million_tokens(2.29, 0) is None
    assert dollars_for(2.29, 1800) == pytest.approx(1.145)
    assert dollars_for(2.29, None) is None


def test_the_machine_tells_state_crashes_age_and_the_last_starts() -> None:
    said = "state active\nrestarts 2\nborn 1000\nnow 4600\n"
    said += 'start {"at": "2026-11-24T16:00:00Z", "why": "change", "start": 73.2, "outage": 80.0, "result": "served"}\n'
    said += 'start {"at": "2026-'
    found = read_answers(said)
    assert (found.service, found.restarts, found.age_seconds) == ("active", 2, 3600)
    assert [start_line(start) for start in found.starts] == ["2026-11-24T16:00:00Z, change, served, 73 s, outage 80 s"]


def test_a_start_tells_what_made_it_necessary_and_what_it_failed_with() -> None:
    start = {
        "why": "restart",
        "result": "failed",
        "start": 9.0,
        "after": "it was killed",
        "trouble": "no memory",
    }
    assert start_line(start) == "restart, failed, 9 s, after: it was killed, trouble: no memory"


@pytest.mark.parametrize(
    ("doing", "told"),
    [
        ({"doing": "starting", "stage": "load weights 1/4", "trouble": ""}, "starting, load weights 1/4"),
        ({"doing": "waiting", "stage": "", "trouble": "out of memory"}, "waiting, out of memory"),
        ({"doing": "serving", "stage": "serving"}, ""),
        ({}, ""),
        ({"doing": 3}, ""),
    ],
)
def test_a_service_that_does_not_serve_yet_says_what_it_does(doing: dict[str, Any], told: str) -> None:
    assert read_answers(f"state active\ndoing {json.dumps(doing)}\n").doing == told


@pytest.mark.parametrize(
    "said", ["", "state \nrestarts \nborn -\nnow 5\n", "state\nrestarts [not set]\nborn 0\nnow 9\n"]
)
def test_a_machine_that_knows_nothing_leaves_it_open(said: str) -> None:
    found = read_answers(said)
    assert (found.service, found.restarts, found.age_seconds, found.starts) == ("unknown", None, None, [])


def test_the_text_has_the_costs_and_the_problems() -> None:
    metrics = read_metrics(TEXT)
    server = figures(metrics, read_metrics(with_output_tokens(1248)), 10, STARTED + 7200)
    found = Status(
        "m", "https://x/v1", "gpu_1x_gh200", "active", "", 1, server, cost(2.29, 7200, server), [], ["no SSH"]
    )
    text = "\n".join(lines(found))
    assert "up for              2 h 0 min" in text
    assert "$2.29 an hour for gpu_1x_gh200, $4.58 since its set-up began" in text
    assert "$6.36 per million output tokens" in text
    assert "started again 1 time after crashes" in text
    assert "problem             no SSH" in text


def test_numbers_read_as_people_write_them() -> None:
    assert [duration(value) for value in (None, 5, 65, 3700, 200000)] == [
        "-",
        "5 s",
        "1 min 5 s",
        "1 h 1 min",
        "2 d 7 h",
    ]
    assert [seconds(value) for value in (None, 0.0234, 1.26)] == ["-", "23 ms", "1.3 s"]
    assert [dollars(value) for value in (None, 0, 0.0312, 1234.5)] == ["-", "$0.00", "$0.0312", "$1,234.50"]
