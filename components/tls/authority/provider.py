"""Makes the authorities of stacks, for `CertificateAuthority`."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pulumi.dynamic import DiffResult

from components.dynamic.inputs import Inputs, Properties, written
from components.dynamic.provider import Created, DynamicProvider
from components.tls.x509 import SERVER_LIFE, is_of_use, new_authority, now

RENEWED_BEFORE = SERVER_LIFE + timedelta(days=35)
"""What an authority signs must not outlive it."""


class CertificateAuthorityInputs(Inputs):
    """What an authority is named."""

    name: Annotated[str, written(r"[ -~]{1,64}", "1 to 64 printable characters")]
    clock_is_behind: bool = False


class CertificateAuthorityProvider(DynamicProvider[CertificateAuthorityInputs]):
    """Makes keys and certificates; nothing is sent anywhere."""

    inputs: ClassVar[type[Inputs]] = CertificateAuthorityInputs

    def clock(self) -> datetime:
        """The time that counts."""
        return now()

    def ignores_change(self, name: str, state: Properties, inputs: Properties) -> bool:
        """A name is for people: another one is no reason to hand all clients another authority."""
        return name in {"name", "clock_is_behind"}

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """Says in the preview what another authority means."""
        # A clock that is behind can judge no authority.
        judged = {**olds, "not_before": None} if news.get("clock_is_behind") else olds
        result = super().diff(_id, judged, news)
        if result.changes:
            ends = f", which ends on {olds['not_after'][:10]}" if olds.get("not_after") else ""
            print(
                f"the stack gets another authority in the place of its own{ends}: clients need the new ca_certificate"
            )
        return result

    def needs_replacement(self, state: Properties) -> str | None:
        """One that ends before what it would sign is of no use, and neither is one that a clock far ahead has made:
        no client has accepted it yet."""
        begins, ends = state.get("not_before"), state.get("not_after")
        if not (begins and ends) or is_of_use(begins, ends, self.clock(), RENEWED_BEFORE):
            return None
        return "not_before" if datetime.fromisoformat(begins) > self.clock() else "not_after"

    def create_resource(self, inputs: CertificateAuthorityInputs) -> Created:
        made = new_authority(inputs.name, self.clock())
        return Created(
            f"{made.serial:x}",
            {
                "private_key": made.private_key,
                "certificate": made.certificate,
                "not_before": made.not_before.isoformat(),
                "not_after": made.not_after.isoformat(),
            },
        )
