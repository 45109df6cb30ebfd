"""What is asked: prompts, lengths, conversations, mixes. One seed, one text.

Who may import whom: `scenario` (what is asked, as a value), `text` and `lengths` import none of the
others; `files` reads prompts and pictures; `prompts` and `writing` make one session, `making` all
of a plan; `checks`, with `scenario_checks` and `limits`, says what is wrong with a plan. All but
`files` and what reads traces are pure.

The names of this package are imported when they are first used: `plan` needs `scenario`, and all
the others need `plan`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checks import check_plan
    from .lengths import TokenLengths
    from .making import make_sessions
    from .scenario import Answers, Prompts, Scenario, Workload
    from .text import make_text

__all__ = [
    "Answers",
    "Prompts",
    "Scenario",
    "TokenLengths",
    "Workload",
    "check_plan",
    "make_sessions",
    "make_text",
]

_HOMES = {
    "Answers": "scenario",
    "Prompts": "scenario",
    "Scenario": "scenario",
    "TokenLengths": "lengths",
    "Workload": "scenario",
    "check_plan": "checks",
    "make_sessions": "making",
    "make_text": "text",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
