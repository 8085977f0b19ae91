"""The model server's own figures, as its `/metrics` gives them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from ops.errors import OpsError


@dataclass(frozen=True)
class Sample:
    """One line of the text."""

    labels: Mapping[str, str]
    value: float


class Metrics:
    """All samples of one read. A server with several engines gives each figure once for each; they are added up."""

    def __init__(self, samples: Mapping[str, list[Sample]]) -> None:
        self._samples = samples

    @property
    def names(self) -> set[str]:
        """Names of all samples, `_bucket`, `_count`, `_sum` and `_total` included."""
        return set(self._samples)

    def total(self, name: str, **labels: str) -> float | None:
        """The sum over all engines and labels but the given ones; None when the server has no such figure."""
        values = [one.value for one in self._samples.get(name, []) if labels.items() <= one.labels.items()]
        return sum(values) if values else None

    def mean(self, name: str) -> float | None:
        """The mean over all engines, for shares."""
        values = [one.value for one in self._samples.get(name, [])]
        return sum(values) / len(values) if values else None

    def by(self, name: str, label: str) -> dict[str, float]:
        """The sums for each value of a label."""
        sums: dict[str, float] = {}
        for one in self._samples.get(name, []):
            key = one.labels.get(label, "")
            sums[key] = sums.get(key, 0.0) + one.value
        return sums

    def mean_of(self, name: str) -> float | None:
        """Of a histogram since the server's start; None when nothing has been counted yet."""
        whole, count = self.total(f"{name}_sum"), self.total(f"{name}_count")
        return whole / count if whole is not None and count else None

    def quantile(self, name: str, share: float) -> float | None:
        """Of a histogram since the server's start, 0.5 is the median; reckoned as PromQL's `histogram_quantile` does.

        None when nothing has been counted yet.
        """
        counts = {bound_of(bound): count for bound, count in self.by(f"{name}_bucket", "le").items()}
        bounds = sorted(counts)
        if not bounds or not counts[bounds[-1]]:
            return None
        rank = share * counts[bounds[-1]]
        below, count_below = 0.0, 0.0
        for bound in bounds:
            if counts[bound] >= rank and counts[bound] > count_below:
                if math.isinf(bound):
                    return below
                return below + (bound - below) * (rank - count_below) / (counts[bound] - count_below)
            below, count_below = bound, counts[bound]
        return None


def bound_of(text: str) -> float:
    """The upper end of a bucket."""
    return math.inf if text in ("+Inf", "Inf") else float(text)


def read_metrics(text: str) -> Metrics:
    """OpsError when it is not the text that Prometheus reads."""
    samples: dict[str, list[Sample]] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append(Sample(sample.labels, float(sample.value)))
    except ValueError as error:
        raise OpsError(f"the server's /metrics cannot be read: {str(error)[:200]}") from None
    return Metrics(samples)
