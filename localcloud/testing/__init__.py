"""The local cloud in the tests of any program: a fresh account for each test, nothing left after the last one."""

from localcloud.testing.account import LambdaCloud
from localcloud.testing.accounts import Accounts, AccountSettings

__all__ = ["AccountSettings", "Accounts", "LambdaCloud"]
