"""The API is the one of Lambda's document, but for the list of deviations."""

from pathlib import Path

import pytest

from tests.support.cloud_api.account import Account
from tests.support.cloud_api.conformity import Findings, explore, served
from tests.support.cloud_api.deviations import DEVIATIONS, amend, operations_that_may_refuse
from tests.support.cloud_api.document import ROOT, read_document

SEED = 20260824

EXAMPLES = {"examples": 1, "coverage": 1, "fuzzing": 12, "stateful": 25}
"""Of each phase, for an operation or, in the last one, for the whole."""

LEAST_REQUESTS = {"examples": 30, "coverage": 500, "fuzzing": 200, "stateful": 60}


def explored(folder: Path, phase: str, examples: int) -> Findings:
    """What one phase of schemathesis finds wrong with a new local cloud."""
    with served(folder) as (url, api_key):
        return explore(url, api_key, phase, examples, SEED)


@pytest.mark.long
@pytest.mark.parametrize("phase", EXAMPLES)
def test_the_api_is_as_documented_whatever_is_asked_of_it(tmp_path: Path, phase: str) -> None:
    findings = explored(tmp_path, phase, EXAMPLES[phase])
    assert findings.problems == []
    assert findings.requests >= LEAST_REQUESTS[phase]


def test_chains_of_calls_are_answered_as_documented(tmp_path: Path) -> None:
    findings = explored(tmp_path, "stateful", 3)
    assert findings.problems == []
    assert findings.requests >= 6


def test_every_documented_operation_is_asked_for_and_answers_as_documented(tmp_path: Path) -> None:
    document = amend(read_document())
    documented = {f"{method.upper()} {path}" for path, ways in document["paths"].items() for method in ways}
    findings = explored(tmp_path, "fuzzing", 1)
    assert findings.operations == documented
    assert findings.problems == []


def test_the_check_sees_what_is_not_as_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.api.catalogue.region_json", lambda name: {"name": name})
    findings = explored(tmp_path, "fuzzing", 1)
    assert any("response_schema_conformance" in problem for problem in findings.problems)


def test_each_deviation_says_who_says_so_and_still_is_one() -> None:
    known = {way["operationId"] for ways in read_document()["paths"].values() for way in ways.values()}
    assert set(operations_that_may_refuse()) <= known
    for deviation in DEVIATIONS:
        assert deviation.source
        document = read_document()
        deviation.amend(document)
        assert document != read_document() or deviation.may_refuse, deviation.what


@pytest.mark.parametrize("path", ["/tickets", "/tickets/0", "/tickets/0/attachments"])
def test_tickets_are_refused_in_plain_words(account: Account, path: str) -> None:
    for answer in (account.get(path), account.post(path, {})):
        assert (answer.status, answer.message) == (501, "The local cloud has no support tickets.")


def test_a_fabric_partition_is_made_renamed_and_removed(account: Account) -> None:
    made = account.post("/fabric", {"name": "training-one", "region": "us-east-3"}).data
    assert made["region"]["name"] == "us-east-3"
    assert account.post(f"/fabric/{made['id']}", {"name": "two"}).data == made | {"name": "two"}
    assert account.call("DELETE", f"{ROOT}/fabric/{made['id']}").data == {}
    assert account.post(f"/fabric/{made['id']}", {"name": "two"}).status == 404
    assert account.post("/fabric", {"name": "UPPER", "region": "us-east-3"}).status == 400


def test_the_wrong_spelling_of_filesystems_is_a_wrong_method(account: Account) -> None:
    answer = account.call("POST", f"{ROOT}/file-systems", {"name": "weights", "region": "us-east-3"})
    assert answer.status == 405
    assert account.get("/file-systems").data == account.get("/filesystems").data == []
