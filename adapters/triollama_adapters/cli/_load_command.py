"""The command ``triollama load``: what an Ollama deployment does under a load."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter
from msgspec.structs import replace

from triollama_adapters.cli._load_bench import at_bench
from triollama_adapters.cli._load_discover import DISCOVER_EXAMPLES, discover
from triollama_adapters.cli._load_faults import UNHARMED, Harm, run_with_faults
from triollama_adapters.cli._load_files import FILES
from triollama_adapters.cli._load_order import ORDINARY, Order
from triollama_adapters.cli._load_publish import nothing, publish_one
from triollama_adapters.cli._load_results import (
    COMPARE_EXAMPLES,
    REPORT_EXAMPLES,
    compare,
    report,
)
from triollama_adapters.cli._load_samples import check_samples, keeping
from triollama_adapters.cli._load_search import (
    CAPACITY_EXAMPLES,
    SWEEP_EXAMPLES,
    capacity,
    sweep,
)
from triollama_adapters.cli._load_sides import AB_EXAMPLES, POLICIES_EXAMPLES, ab, policies
from triollama_adapters.cli._load_when import AT_ONCE, HowMuch

__all__ = ["describe_meant", "make_load_app"]

_SUBCOMMANDS: Final = ("sweep", "capacity", "discover", "compare", "ab", "policies", "report")

LOAD_EXAMPLES: Final = """
Examples:

* `triollama load --simulate 1 --concurrency 8 --duration 20s`
* `triollama load --endpoint http://gpu-1:11434 -m llama3.2 -c 100 -d 60s --report report.html`
* `triollama load -m llama3.2 --rate 20/s --slo 'ttft_p95<800ms' --slo 'tpot_p95<40ms'`
* `triollama load -m llama3.2 --replay trace.jsonl --speed 2 --json run.json`
* `triollama load capacity -m llama3.2 --slo 'ttft_p95<800ms'`
* `triollama load compare before.json after.json`

Exit codes:

* `0` all objectives are met
* `1` one is missed or cannot be told, or nothing was answered
* `2` wrong usage, or a file that cannot be used
* `3` no server, or one that died in the warm-up
* `4` INVALID: this client was the bottleneck, so the figures are not the server's
* `130` Ctrl-C; the figures so far are written all the same
"""


def make_load_app() -> App:
    """The command and its subcommands."""
    app = App(name="load", help_epilogue=LOAD_EXAMPLES, help_format="markdown")
    app.default(load)
    app.command(sweep, help_epilogue=SWEEP_EXAMPLES)
    app.command(capacity, help_epilogue=CAPACITY_EXAMPLES)
    app.command(discover, help_epilogue=DISCOVER_EXAMPLES)
    app.command(compare, help_epilogue=COMPARE_EXAMPLES)
    app.command(ab, help_epilogue=AB_EXAMPLES)
    app.command(policies, help_epilogue=POLICIES_EXAMPLES)
    app.command(report, help_epilogue=REPORT_EXAMPLES)
    return app


def describe_meant(tokens: Sequence[str]) -> str:
    """Which subcommand was meant by a name that is nearly its own; empty if none was.

    Args:
        tokens: the arguments of the program, which could not be used.
    """
    if len(tokens) < 2 or tokens[0] != "load" or tokens[1].startswith("-"):
        return ""
    found = get_close_matches(tokens[1], _SUBCOMMANDS, n=1)
    if not found or found[0] == tokens[1]:
        return ""
    return f"there is no command {tokens[1]!r}; did you mean: triollama load {found[0]}?"


async def load(
    *,
    how_much: HowMuch = AT_ONCE,
    order: Order = ORDINARY,
    harm: Harm = UNHARMED,
    samples: Annotated[Path | None, Parameter(group=FILES)] = None,
) -> int:
    """Put a load on Ollama servers, and say what they did under it and how sure that is.

    Give --concurrency, --rate, --phases or --replay. Each figure is defined in the report beside
    it. The run says too whether this client itself was the bottleneck: VALID, DEGRADED or INVALID.
    The objectives (--slo) set the exit code.

    Args:
        how_much: How much load.
        order: What is wanted else.
        harm: What fails meanwhile.
        samples: Every request: JSON lines, or Parquet by its suffix.

    Returns:
        The exit code.
    """
    check_samples(samples)
    harm.check(is_simulated=bool(order.whom.simulate))
    plan = order.plan(how_much, keep_samples=samples is not None)
    force = order.files.check(samples)
    run = partial(run_with_faults, harm=harm)
    with keeping(samples) as sink:
        found, _ = await at_bench(plan, order.whom.simulate, run, client=order.client, sink=sink)
    if found is None:
        return nothing()
    named = replace(found, name=order.client.name or found.name)
    return await publish_one(named, order.files, force=force)
