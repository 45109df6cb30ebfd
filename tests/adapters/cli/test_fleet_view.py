"""What is known of a fleet, brought together."""

from __future__ import annotations

from typing import Any

import pytest

from triollama_adapters.cli._fleet_view import Glance, Loaded, health_of, view_fleet


@pytest.mark.parametrize(
    ("pool", "probe", "health"),
    [
        ({}, {}, "well"),
        ({"failures_in_row": 2}, {}, "2 failures"),
        ({}, {"failures_in_row": 1, "error": "ConnectError"}, "not reached"),
        ({}, {"failures_in_row": 1, "error": "StallError"}, "no good answer"),
        ({}, {"probes": 0, "age_s": None}, "no answer yet"),
        ({"state": "half-open"}, {}, "on trial"),
        ({"state": "open", "out_s": 28.4}, {"failures_in_row": 3}, "out for 28 s"),
        ({"state": "open", "is_draining": True}, {"failures_in_row": 3}, "draining"),
    ],
)
def test_health(
    known: Any, probed: Any, pool: dict[str, Any], probe: dict[str, Any], health: str
) -> None:
    """What the engine does with an endpoint goes before what its last probe said."""
    assert health_of(known(**pool), probed(**probe)) == health


def test_health_without_probes(known: Any) -> None:
    """Where probing is turned off there is the pool's word only."""
    assert health_of(known(), None) == "well"


def test_what_a_server_said_is_shown(known: Any, probed: Any, numbers: Any) -> None:
    """Its loaded models, and how fast it answered."""
    loaded = (Loaded("llama3.2:latest", 60.0),)
    view = view_fleet(numbers([known()], [probed()], waiting=4), {"a:1": Glance(loaded)})
    [row] = view.endpoints
    assert (row.loaded, row.probe_s, row.is_reached, row.reason) == (loaded, 0.003, True, "")
    assert (view.reached, view.waiting, view.predicted_wait_s) == (1, 4, 2.0)
    assert view.describe() == "1 of 1 servers reached, 4 in line"


def test_why_a_server_is_not_reached(known: Any, probed: Any, numbers: Any) -> None:
    """In the words of the failed question, or else by the kind of error of the probe."""
    bad = {"failures_in_row": 1, "error": "ConnectError", "age_s": None, "took_s": None}
    engine = numbers([known("a:1"), known("b:1")], [probed("a:1", **bad), probed("b:1", **bad)])
    view = view_fleet(engine, {"a:1": Glance(error="Connection refused")})
    assert [row.reason for row in view.endpoints] == ["Connection refused", "ConnectError"]
    assert view.reached == 0


def test_a_server_that_was_there_before_is_not_reached_now(
    known: Any, probed: Any, numbers: Any
) -> None:
    """An old good answer does not count."""
    view = view_fleet(numbers([known()], [probed(failures_in_row=1, error="ConnectError")]), {})
    assert view.reached == 0


def test_a_missing_route_is_no_illness(known: Any, probed: Any, numbers: Any) -> None:
    """Others imitate Ollama and do not tell what they have loaded."""
    view = view_fleet(numbers([known()], [probed()]), {"a:1": Glance(error="no such route")})
    assert (view.endpoints[0].reason, view.reached) == ("", 1)
