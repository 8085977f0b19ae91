"""What to launch: acceptable machines, what they are made from, and the marks by which one is found again."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from components.lambda_cloud.api.models import Instance, InstanceStatus, LaunchRequest, Tag
from components.lambda_cloud.api.names import ORDER_TAG as ORDER_TAG
from components.lambda_cloud.api.names import TOKEN_TAG as TOKEN_TAG
from components.lambda_cloud.instance.candidates import Candidate


@dataclass(frozen=True)
class Launched:
    """A machine that was launched, or found to have been launched before."""

    instance_id: str
    instance_type: str
    region: str
    price_cents_per_hour: int


@dataclass(frozen=True)
class LaunchOrder:
    """What to launch and how long to try. `template` is completed with type and region of a candidate."""

    candidates: tuple[Candidate, ...]
    template: LaunchRequest
    rulesets: Mapping[str, str]
    """Id of the firewall ruleset by region."""
    token: str
    max_price_cents_per_hour: int | None
    capacity_timeout_s: float

    def request(self, candidate: Candidate) -> LaunchRequest:
        """The launch of one candidate, marked with the token and with what else it is made from."""
        ruleset = self.rulesets.get(candidate.region)
        request = self.template.model_copy(
            update={
                "instance_type_name": candidate.instance_type,
                "region_name": candidate.region,
                "firewall_rulesets": [{"id": ruleset}] if ruleset else [],
            }
        )
        marks = [Tag(key=TOKEN_TAG, value=self.token), Tag(key=ORDER_TAG, value=_fingerprint(request))]
        return request.model_copy(update={"tags": [*request.tags, *marks]})

    def is_met_by(self, instance: Instance) -> bool:
        """True when a machine with our token is one of the candidates, made from the same things, and not broken."""
        candidate = Candidate(instance.instance_type.name, instance.region.name)
        wanted = {tag.key: tag.value for tag in self.request(candidate).tags}
        return (
            candidate in self.candidates
            and instance.tag(ORDER_TAG) == wanted[ORDER_TAG]
            and instance.status != InstanceStatus.UNHEALTHY
        )


def _fingerprint(request: LaunchRequest) -> str:
    # The name changes in place.
    return hashlib.sha256(request.model_dump_json(exclude={"name"}, exclude_none=True).encode()).hexdigest()[:32]
