"""Filesystems on `process` machines: where they are, who shares them, and how long what is in them lives."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
import requests

from localcloud.machines.base import Mount
from localcloud.machines.cloud_init import HOME
from localcloud.machines.mounts import place
from tests.control_side import eventually
from tests.engine.process_machine import Machine, booted, check
from tests.local_cloud import LocalCloud, local_cloud

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs an OpenSSH client")
