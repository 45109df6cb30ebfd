"""The command ``triollama load discover``: what the servers are, before any load."""

from __future__ import annotations

from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from triollama_adapters.cli._failures import EXIT_OK, EXIT_SOME_FAILED, CliError
from triollama_adapters.cli._load_asked import Asked
from triollama_adapters.cli._load_bench import Bench
from triollama_adapters.cli._load_files import NOWHERE, Files
from triollama_adapters.cli._load_order import Order, carry_out
from triollama_adapters.cli._load_when import HowMuch
from triollama_adapters.cli._load_whom import ANYBODY, Whom
from triollama_adapters.loadtest.search.discover import discover as look_into
from triollama_adapters.loadtest.search.found import Discovered
from triollama_adapters.loadtest.search.looking import Look

__all__ = ["DISCOVER_EXAMPLES", "discover"]

DISCOVER_EXAMPLES: Final = """
Examples:

* `triollama load discover --simulate 1`
* `triollama load discover --endpoint http://gpu-1:11434 -m llama3.2 --json server.json`
* `triollama load discover -m llama3.2 --no-cold --no-reloads`
"""

BURST_MAX: Final = 4_096


async def discover(
    *,
    model: Annotated[str | None, Parameter(name=["--model", "-m"])] = None,
    slots: bool = True,
    cold: bool = True,
    reloads: bool = True,
    speeds: bool = True,
    burst: Annotated[int, Parameter(validator=Number(gte=2, lte=BURST_MAX))] = 256,
    seed: int = 0,
    whom: Whom = ANYBODY,
    files: Files = NOWHERE,
) -> int:
    """Find out what each endpoint is: slots, cold start, what reloads, prefill and decode speed.

    It asks some hundred short requests. On a server that others use, leave out what disturbs them:
    --no-cold, which unloads the model, and --no-reloads.

    Args:
        model: The model to ask. Default: the only one there is, or the simulator's first.
        slots: Find num_parallel, by bursts.
        cold: Unload the model, to see how long a load takes.
        reloads: Change options, to see which of them load the model anew.
        speeds: Measure prefill and decode, with and without a cached prefix.
        burst: Requests sent at once at most.
        seed: Of the prompts.
        whom: For whom.
        files: What is written.

    Returns:
        The exit code.
    """
    if whom.api == "embed":
        raise CliError("an embedding model has neither answers nor slots to find; give --api chat")
    order = Order(asked=Asked(model=model), whom=whom, files=files)
    look = Look(slots=slots, cold=cold, reloads=reloads, speeds=speeds, burst_max=burst, seed=seed)

    async def work(bench: Bench) -> Discovered | None:
        plan = bench.plan
        asked = plan.workload.scenarios[0].model
        return await look_into(plan.target, asked, look=look, on_find=bench.tell)

    return await carry_out(order, HowMuch(concurrency=1), work, _ending)


def _ending(found: Discovered) -> tuple[int, str]:
    if any(each.warm_ttft_s is not None for each in found.endpoints):
        return EXIT_OK, ""
    notes = "; ".join(note for each in found.endpoints for note in each.notes)
    return EXIT_SOME_FAILED, f"nothing was found out: {notes}"
