"""What every command that puts a load on servers is given, and how it is carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final, TypeVar

import attrs
from cyclopts import Parameter

from triollama_adapters.cli._load_asked import PLAIN, Asked
from triollama_adapters.cli._load_bench import Bench, at_bench
from triollama_adapters.cli._load_client import SELF, Client
from triollama_adapters.cli._load_ending import STOPPED
from triollama_adapters.cli._load_files import NOWHERE, Files
from triollama_adapters.cli._load_plan import make_plan
from triollama_adapters.cli._load_publish import end, nothing, publish
from triollama_adapters.cli._load_stored import results_of
from triollama_adapters.cli._load_when import DURATION_S, MINUTE, STEP_S, WHEN, HowMuch, Window
from triollama_adapters.cli._load_whom import ANYBODY, Whom
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.report.searches import Found

__all__ = ["ORDINARY", "Order", "carry_out"]

T = TypeVar("T", bound=Found)


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Order:
    """What is wanted, but for how much load: that each command says in its own way.

    Attributes:
        slo: An objective, such as 'ttft_p95<800ms', 'tpot_p95<40ms' or 'errors<1%'; repeat it for
            more.
        window: How long.
        asked: What is asked.
        whom: For whom.
        client: Who makes the load.
        files: What is written.
    """

    slo: Annotated[
        tuple[str, ...], Parameter(negative_iterable=(), show_default=False, group=WHEN)
    ] = ()
    window: Window = MINUTE
    asked: Asked = PLAIN
    whom: Whom = ANYBODY
    client: Client = SELF
    files: Files = NOWHERE

    def plan(
        self, how_much: HowMuch, *, default_s: float = DURATION_S, keep_samples: bool = False
    ) -> Plan:
        """The same as a plan; see `make_plan`.

        Args:
            how_much: how much load.
            default_s: length of the window where none was given.
            keep_samples: whether every request is kept.

        Raises:
            CliError: options exclude each other or mean nothing, or a file cannot be used.
            LoadTestError: an objective, a rate, a time or a trace cannot be read.
        """
        return make_plan(
            how_much.timed(self.window, self.asked.think_s(), default_s=default_s),
            window=self.window,
            asked=self.asked,
            whom=self.whom,
            client=self.client,
            slo=self.slo,
            keep_samples=keep_samples,
        )


ORDINARY: Final = Order()


async def carry_out(
    order: Order,
    how_much: HowMuch,
    work: Callable[[Bench], Awaitable[T | None]],
    ending_of: Callable[[T], tuple[int, str]],
    *,
    so_far: Sequence[T] = (),
) -> int:
    """Plan several runs, make them, write and print what they found, and say how that ended.

    All that can be wrong with the options and the files is told before a server is started.

    Args:
        order: what is wanted.
        how_much: how much load.
        work: makes the runs; None if nothing was measured.
        ending_of: the exit code of what was found, and why it is not 0.
        so_far: what the work has found until now, the latest at the end; used if it is cancelled.

    Returns:
        The exit code.

    Raises:
        CliError: see `Order.plan`, and `open_servers`.
        LoadTestError: see `Order.plan`, and `run_load`.
    """
    plan = order.plan(how_much, default_s=STEP_S)
    force = order.files.check()
    found, is_stopped = await at_bench(plan, order.whom.simulate, work, client=order.client)
    if found is None and so_far:
        found = so_far[-1]
    if found is None:
        return nothing()
    await publish(results_of(found), found, order.files, force=force)
    return end(*(STOPPED if is_stopped else ending_of(found)))
