"""The simulator's own routes, under ``/_sim/``: faults, state, speed, restart. Ollama has none.

Faults are never drawn for them, and they are in no count but that of the routes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from triollama._errors import ConfigError

from .encoding import decode_json
from .errors import ApiError
from .faults import FaultRule

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = ["ROUTES"]

SPEED_MIN, SPEED_MAX = 1e-3, 1e3
"""Beyond these a server stands still, or answers at once."""


def _state(simulator: Simulator, exchange: Exchange, now: float) -> None:
    exchange.response.json(200, simulator.statistics().to_json(), now)


def _set_faults(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Put rules in force: one, or an array of them, in place of those before."""
    from .config import structure  # noqa: PLC0415  # it imports the rules from here

    try:
        value = decode_json(exchange.request.body)
        rules = structure(value if isinstance(value, list) else [value], tuple[FaultRule, ...])
    except (EOFError, ValueError, ConfigError) as error:
        raise ApiError(400, str(error)) from None
    simulator.faults.set(rules)
    exchange.response.json(200, {"rules": len(rules)}, now)


def _clear_faults(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Put no rule in force, and accept connections again."""
    simulator.faults.set(())
    simulator.refuse_until = float("-inf")
    exchange.response.json(200, {"rules": 0}, now)


def _set_speed(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Read and write at a share of the configured speed."""
    try:
        share = decode_json(exchange.request.body)["share"]
        is_usable = not isinstance(share, bool) and SPEED_MIN <= share <= SPEED_MAX
    except (EOFError, KeyError, TypeError):
        is_usable = False
    except ValueError as error:
        raise ApiError(400, str(error)) from None
    if not is_usable:
        told = f'the body must be {{"share": number}}, from {SPEED_MIN:g} to {SPEED_MAX:g}'
        raise ApiError(400, told)
    simulator.set_speed(share)
    exchange.response.json(200, {"share": share}, now)


def _restart(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Answer, then cut every connection and forget the loaded models."""
    exchange.response.json(200, {"restarted": True}, now)
    simulator.restart(now)


def _reset(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Restart, with the rules of the configuration, and all counts at zero."""
    exchange.response.json(200, {"reset": True}, now)
    simulator.reset(now)


ROUTES: dict[str, dict[str, Callable[[Simulator, Exchange, float], None]]] = {
    "/_sim/state": {"GET": _state},
    "/_sim/faults": {"POST": _set_faults, "DELETE": _clear_faults},
    "/_sim/speed": {"POST": _set_speed},
    "/_sim/restart": {"POST": _restart},
    "/_sim/reset": {"POST": _reset},
}
