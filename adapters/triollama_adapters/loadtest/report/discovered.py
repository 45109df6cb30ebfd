"""What was learnt about endpoints, for a page and in a sentence. No IO."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from triollama_adapters.loadtest.report.settings import name_endpoint
from triollama_adapters.loadtest.report.units import (
    NOTHING,
    show_interval,
    show_number,
    show_s,
)
from triollama_adapters.loadtest.search.found import (
    Discovered,
    EndpointDiscovered,
    ReloadFound,
    SlotsFound,
    Speeds,
)

__all__ = ["describe_discovered", "tell_discovered"]


def describe_discovered(found: Discovered) -> str:
    """How many requests each endpoint works on at once, in a sentence."""
    told = [
        f"{name_endpoint(each.endpoint)} works on {_slots(each.slots)} at once"
        for each in found.endpoints
    ]
    return "; ".join(told) + "." if told else "No endpoint was asked."


def tell_discovered(found: Discovered) -> list[dict[str, Any]]:
    """Each endpoint with its rows of name, value and what is to be said about it."""
    return [
        {
            "name": name_endpoint(each.endpoint),
            "model": each.model,
            "rows": list(_rows(each)),
            "notes": list(each.notes),
        }
        for each in found.endpoints
    ]


def _rows(found: EndpointDiscovered) -> Iterator[tuple[str, str, str]]:
    slots = found.slots
    yield "slots (num_parallel)", _slots(slots), slots.note if slots else ""
    yield from _loads(found)
    yield from _speeds("new prompt", found.uncached)
    yield from _speeds("prompt known", found.cached)
    if found.busy_decode_tokens_per_s is not None:
        busy = f"{show_number(found.busy_decode_tokens_per_s)} tokens/s"
        yield "decode, all slots busy", busy, "of one request"
    cache = {True: "yes", False: "no", None: "cannot be told"}[found.has_prefix_cache]
    yield "prefix cache", cache, ""
    if found.overhead_s is not None:
        ends = show_interval(found.overhead_s)
        yield "overhead per request", show_s(found.overhead_s.value), ends
    yield "transport", show_s(found.transport_s), ""
    for each in found.reloads:
        yield f"a change of {each.option}", _reload(each), " → ".join(map(str, each.values))
    timed = "yes" if found.is_timed else "no: all figures are the client's"
    yield "tells its times", timed, ""


def _loads(found: EndpointDiscovered) -> Iterator[tuple[str, str, str]]:
    yield "cold start", show_s(found.cold_load_s), "load time after the model was unloaded"
    yield "TTFT, cold", show_s(found.cold_ttft_s), "of the same request"
    yield "TTFT, warm", show_s(found.warm_ttft_s), "a short prompt, median"


def _speeds(what: str, speeds: Speeds | None) -> Iterator[tuple[str, str, str]]:
    if speeds is None:
        return
    size = f"{speeds.prompt_tokens:,} tokens in, {speeds.output_tokens:,} out"
    for name, value in (
        ("prefill", speeds.prefill_tokens_per_s),
        ("decode", speeds.decode_tokens_per_s),
    ):
        told = NOTHING if value is None else f"{show_number(value)} tokens/s"
        yield f"{name}, {what}", told, size


def _slots(found: SlotsFound | None) -> str:
    if found is None or found.slots is None:
        return "an unknown number"
    return str(found.slots) if found.is_exact else f"at least {found.slots}"


def _reload(found: ReloadFound) -> str:
    if found.reloads is None:
        return "unknown: that request failed"
    return f"loads the model anew ({show_s(found.load_s)})" if found.reloads else "nothing"
