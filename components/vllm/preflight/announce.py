"""Tells the user what is going to be done, before anything is."""

import os
from collections.abc import Mapping

import pulumi

from components.lambda_cloud.api.account_folder import why_no_notes
from components.lambda_cloud.api.client import LambdaClient
from components.machine.host import check_agent
from components.settings.exposure import exposure
from components.vllm.preflight import Plan
from components.vllm.preflight.clock import clock_lines
from components.vllm.preflight.plan_text import lines_of_any_plan


def announce(plan: Plan, client: LambdaClient, environment: Mapping[str, str] = os.environ) -> None:
    """In lines of the log; `pulumi.RunError` for what is wrong with this computer."""
    settings = plan.settings
    if no_notes := why_no_notes(settings.lambda_api_key, settings.api_url):
        pulumi.log.warn(no_notes)
    if no_agent := check_agent(environment):
        raise pulumi.RunError(no_agent)
    for line in [*lines_of_any_plan(plan), *plan.sent.notes]:
        pulumi.log.info(line)
    for line in [*clock_lines(client.clock_ahead_s), *exposure(settings)]:
        pulumi.log.warn(line)
    if settings.tls == "off" and settings.allowed_cidrs:
        pulumi.log.warn("tls is off: the key, the questions and the answers cross the network in the clear")
