"""From what became of each request to the figures of one load.

    figures_of(replies, mix=templates, begin=10.0, end=50.0)

Goodput is what was answered rightly within the window, in rollouts: groups are of many sizes, and a server
that takes the small ones alone would look better by requests than it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from load_generator import Replies
from load_lines import Broken
from load_mix import Size, Template

_ANSWERED, _FULL = 200, 429
_ALLOWED = {_ANSWERED, _FULL, 503, 504}


@dataclass(frozen=True, slots=True)
class Latency:
    """Of answers with status 200, in milliseconds; None where there are none."""

    count: int
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Rates are per second."""

    offered_requests: float
    offered_rollouts: float
    offered_mb: float
    good_requests: float
    good_rollouts: float
    good_mb: float
    latency: dict[str, Latency]
    refused_share: float
    refused_p50_ms: float | None
    refused_p99_ms: float | None
    refused_early_share: float | None
    statuses: dict[str, int]
    unforeseen: int
    broken: dict[str, int]
    wrong: int
    late_start_p99_ms: float

    @property
    def accepted(self) -> Latency:
        return self.latency["all"]


def figures_of(replies: Replies, *, mix: Sequence[Template], begin: float, end: float) -> Figures:
    """Of requests that were due in the window; goodput of those that were answered in it."""
    rollouts = np.array([each.rollouts for each in mix])
    megabytes = np.array([each.length for each in mix]) / 1e6
    due = replies[(replies["due"] >= begin) & (replies["due"] < end)]
    good = replies[replies["right"] & (replies["done"] >= begin) & (replies["done"] < end)]
    refused, accepted = due[due["status"] == _FULL], due[due["status"] == _ANSWERED]
    seconds = end - begin
    statuses = Counter(due["status"].tolist())
    return Figures(
        offered_requests=len(due) / seconds,
        offered_rollouts=float(rollouts[due["template"]].sum()) / seconds,
        offered_mb=float(megabytes[due["template"]].sum()) / seconds,
        good_requests=len(good) / seconds,
        good_rollouts=float(rollouts[good["template"]].sum()) / seconds,
        good_mb=float(megabytes[good["template"]].sum()) / seconds,
        latency=_latencies(accepted, mix),
        refused_share=len(refused) / max(1, len(due)),
        refused_p50_ms=_quantile(refused, 0.5),
        refused_p99_ms=_quantile(refused, 0.99),
        refused_early_share=float(refused["early"].mean()) if len(refused) else None,
        statuses={str(each): statuses[each] for each in sorted(statuses) if each > 0},
        unforeseen=sum(count for each, count in statuses.items() if each > 0 and each not in _ALLOWED),
        broken={Broken(each).name.lower(): statuses[each] for each in sorted(statuses) if each < 0},
        wrong=int((~accepted["right"]).sum()),
        late_start_p99_ms=float(np.quantile((due["sent"] - due["due"]) * 1e3, 0.99)) if len(due) else 0.0,
    )


def _latencies(accepted: Replies, mix: Sequence[Template]) -> dict[str, Latency]:
    sizes = np.array([each.size for each in mix])[accepted["template"]]
    parts: dict[str, Any] = {"all": accepted} | {size.value: accepted[sizes == size] for size in Size}
    return {
        name: Latency(len(part), _quantile(part, 0.5), _quantile(part, 0.99)) for name, part in parts.items()
    }


def _quantile(part: Replies, share: float) -> float | None:
    taken: npt.NDArray[np.float64] = (part["done"] - part["due"]) * 1e3
    return float(np.quantile(taken, share)) if len(part) else None
