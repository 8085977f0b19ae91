"""A pytest plugin: `pytest_plugins = ["localcloud.pytest_plugin"]`, and every test may ask for a `lambda_cloud`.

Settings are the command line's or, without them, those of the ini file: docs/local-cloud.md, "In tests".
"""

import argparse
from collections.abc import Callable, Iterator

import pytest

from localcloud import cli
from localcloud.testing import Accounts, AccountSettings, LambdaCloud

MACHINES = ("none", "process")
DEFAULTS = AccountSettings()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The settings, each under one name on the command line and in the ini file."""
    group = parser.getgroup("localcloud", "a Lambda Cloud for each test")
    for name, text, default in (
        ("machines", "what an instance is: none (the API alone) or process (reached over SSH)", DEFAULTS.machines),
        ("time_scale", "stretches boots and terminations: 1 is like Lambda, 0 is at once", DEFAULTS.time_scale),
        ("rate_limit", "lambda, off, or a factor on Lambda's intervals", DEFAULTS.rate_limit),
    ):
        flag = f"--localcloud-{name.replace('_', '-')}"
        group.addoption(flag, dest=f"localcloud_{name}", default=None, help=f"{text} (default: {default})")
        parser.addini(f"localcloud_{name}", f"{text} (default: {default})", default=default)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse wrong settings before the first test."""
    settings = account_settings(config)
    checks: dict[str, Callable[[str], object]] = {
        "machines": _machines,
        "time_scale": cli.time_scale,
        "rate_limit": cli.rate_limit,
    }
    for name, check in checks.items():
        try:
            check(getattr(settings, name))
        except argparse.ArgumentTypeError as error:
            raise pytest.UsageError(f"localcloud_{name}: {error}") from None


def account_settings(config: pytest.Config) -> AccountSettings:
    """What this session's accounts are like."""

    def setting(name: str) -> str:
        given = config.getoption(f"localcloud_{name}")
        return str(config.getini(f"localcloud_{name}") if given is None else given)

    return AccountSettings(setting("machines"), setting("time_scale"), setting("rate_limit"))


@pytest.fixture(scope="session")
def _lambda_cloud_accounts(request: pytest.FixtureRequest) -> Iterator[Accounts]:
    """The server of this session, or of this worker of pytest-xdist; started when the first test asks for it."""
    with Accounts(account_settings(request.config)) as accounts:
        yield accounts


@pytest.fixture
def lambda_cloud(_lambda_cloud_accounts: Accounts) -> Iterator[LambdaCloud]:
    """A Lambda Cloud account of this test's own: empty before, gone after."""
    yield _lambda_cloud_accounts.fresh()
    _lambda_cloud_accounts.close_account()


def _machines(text: str) -> str:
    if text not in MACHINES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a kind of machine ({', '.join(MACHINES)})")
    return text
