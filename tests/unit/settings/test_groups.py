"""Settings in groups: a part of the stack is handed its words, all of them and no others."""

from typing import Any

import pytest

from components.settings import KEYS, Settings
from components.settings.groups import GROUPS, Words
from components.settings.settings import SECRETS, WORDS

GIVEN: dict[str, Any] = {
    "lambdaApiKey": "secret_of_the_account",
    "hfToken": "secret_of_the_hub",
    "apiKey": "secret_of_the_endpoint",
    "additionalApiKeys": ["secret_of_a_client_1"],
    "model": "an-owner/a-model",
    "regions": ["us-west-1"],
    "maxPricePerHour": 2.5,
    "driver": "keep",
    "vllmEnv": {"TOKEN_OF_SOMETHING": "secret_in_a_variable"},
    "vllmArgs": {"served-model-name": "secret_in_a_flag"},
    "port": 9000,
}


def groups_of(settings: Settings) -> list[Words]:
    return [
        settings.served_model,
        settings.machine,
        settings.installation,
        settings.serving,
        settings.endpoint,
        settings.account,
    ]


def test_every_word_is_in_one_group_and_every_group_can_be_had() -> None:
    names = [name for group in GROUPS for name in group.model_fields]
    assert sorted(names) == sorted(Settings.model_fields)
    assert [type(group) for group in groups_of(Settings.model_validate(GIVEN))] == list(GROUPS)


def test_a_group_has_what_the_settings_have() -> None:
    settings = Settings.model_validate(GIVEN)
    handed = {name: value for group in groups_of(settings) for name, value in group}
    assert handed == dict(settings)
    assert settings.machine.max_price_cents_per_hour == 250
    assert settings.machine.image == ("lambda-stack-24-04", None)
    assert not hasattr(settings.machine, "hf_token")


def test_a_group_of_changed_settings_is_of_the_change() -> None:
    settings = Settings.model_validate(GIVEN)
    assert settings.endpoint.port == 9000
    assert settings.model_copy(update={"port": 9001}).endpoint.port == 9001


def test_equal_words_make_equal_groups() -> None:
    one, other = (Settings.model_validate({**GIVEN, "port": port}) for port in (9000, 9001))
    assert one.machine == other.machine
    assert one.endpoint != other.endpoint


def test_a_group_cannot_be_changed() -> None:
    machine = Settings.model_validate(GIVEN).machine
    with pytest.raises(ValueError, match="frozen"):
        setattr(machine, "regions", ["us-east-1"])  # noqa: B010 - to the type checker it is a list like any other


def test_no_secret_is_in_what_a_traceback_shows_of_settings() -> None:
    settings = Settings.model_validate(GIVEN)
    for shown in (settings, *groups_of(settings)):
        assert "secret" not in f"{shown!r} {shown}"
    assert "regions=['us-west-1']" in repr(settings.machine)


def test_the_words_that_are_kept_secret_are_these() -> None:
    """A secret that is not declared as one would be taken in plain text."""
    assert {"lambdaApiKey", "hfToken", "apiKey", "additionalApiKeys"} == SECRETS
    assert {key for key in KEYS if key.lower().endswith(("key", "keys", "token"))} == SECRETS
    assert {key for key, word in WORDS.items() if word.hides == ""} == {"vllmArgs", "vllmEnv"}
