"""An Ollama server in a box: without a model, with Ollama's scheduler, wire and faults.

Who may import whom: `core` and what it imports (all but the modules named next) know no task,
clock or socket; `answer` asks a core as directly; `driver`, `server` with `connection`, and
`transport` with `memory_wire` drive a core with trio; `truth` notes when a server's bytes really
leave; `process` and `pytest_plugin` start a server in another process. The engine imports nothing
of this.

The public names are imported when they are first used: pytest loads `pytest_plugin`, and with it
this package, in every run of every project, and must not pay for trio and httpx.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answer import unbroken_answer
    from .config import SimulatorConfig, config_to_json, fast_config, structure
    from .core import Simulator
    from .faults import Fault, FaultRule
    from .models import DEFAULT_MODELS, ModelConfig
    from .process import SimulatorProcess, open_simulator_processes, open_simulators
    from .server import serve
    from .statistics import SimulatorStatistics
    from .transport import SimulatedFleet, SimulatedTransport, open_fleet
    from .truth import Truth, read_truth

__all__ = [
    "DEFAULT_MODELS",
    "Fault",
    "FaultRule",
    "ModelConfig",
    "SimulatedFleet",
    "SimulatedTransport",
    "Simulator",
    "SimulatorConfig",
    "SimulatorProcess",
    "SimulatorStatistics",
    "Truth",
    "config_to_json",
    "fast_config",
    "open_fleet",
    "open_simulator_processes",
    "open_simulators",
    "read_truth",
    "serve",
    "structure",
    "unbroken_answer",
]

_HOMES = {
    "answer": ("unbroken_answer",),
    "config": ("SimulatorConfig", "config_to_json", "fast_config", "structure"),
    "core": ("Simulator",),
    "faults": ("Fault", "FaultRule"),
    "models": ("DEFAULT_MODELS", "ModelConfig"),
    "process": ("SimulatorProcess", "open_simulator_processes", "open_simulators"),
    "server": ("serve",),
    "statistics": ("SimulatorStatistics",),
    "transport": ("SimulatedFleet", "SimulatedTransport", "open_fleet"),
    "truth": ("Truth", "read_truth"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
