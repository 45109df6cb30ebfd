"""The verdicts on a run as a page shows them: on the client, on each objective. No IO."""

from __future__ import annotations

from typing import Any

from triollama_adapters.loadtest.report.definitions import FIGURES, METERS
from triollama_adapters.loadtest.report.units import (
    NOTHING,
    show_interval,
    show_number,
    show_s,
    show_share,
)
from triollama_adapters.loadtest.result import Result

__all__ = ["tell_client", "tell_objectives"]


def tell_client(result: Result) -> dict[str, Any]:
    """Whether the load tester was the bottleneck, with the figures that say so."""
    client = result.client
    floor = NOTHING if client.floor is None else f"{show_number(client.floor)} requests/s"
    return {
        "validity": client.validity,
        "reasons": list(client.reasons),
        "meaning": FIGURES["verdict"].meaning,
        "facts": [
            ("Start delay, p99", show_s(client.start_delay_p99_s), METERS["start_delay"].meaning),
            (
                "Busiest process",
                f"{show_share(client.busiest)} of a core",
                "The largest share of a core that one process of the client used over 5 s.",
            ),
            (
                "Timing error, p99",
                show_s(client.timing_error_s),
                FIGURES["timing_error"].meaning,
            ),
            (
                "Against a server that does nothing",
                floor,
                "What this client reaches on this machine when the server answers at once.",
            ),
            (
                "CPU per request",
                show_s(client.cpu_s_per_request),
                "CPU time of the client for one request.",
            ),
        ],
    }


def tell_objectives(result: Result) -> list[dict[str, Any]]:
    """Each objective with its verdict, its figure, and where that lies beside the limit."""
    if result.attained is None:
        return []
    limits = {each.text: each for each in result.plan.objectives}
    told = []
    for each in result.attained.judged:
        is_share = each.objective.startswith("errors")
        show = show_share if is_share else show_s
        limit = limits[each.objective].limit if each.objective in limits else None
        told.append(
            {
                "text": each.objective,
                "met": each.met,
                "why": each.why,
                "shown": show(each.value.value) if each.value else NOTHING,
                "ends": show_interval(each.value, is_share=is_share),
                "limit": limit,
                "limit_shown": show(limit) if limit is not None else NOTHING,
                "value": each.value.value if each.value else None,
                "low": each.value.low if each.value else None,
                "high": each.value.high if each.value else None,
            }
        )
    return told
