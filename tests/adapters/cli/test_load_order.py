"""What the commands of ``triollama load`` that make several runs do alike; without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from tests.adapters.cli.test_load_endings import result

from triollama_adapters.cli import _load_order
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._load_asked import Asked
from triollama_adapters.cli._load_files import Files
from triollama_adapters.cli._load_order import Order, carry_out
from triollama_adapters.cli._load_when import HowMuch, Window
from triollama_adapters.cli._load_whom import Whom
from triollama_adapters.loadtest.errors import LoadTestError, ReportError
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.search.found import PoliciesFound

FIVE = HowMuch(rate="5/s")
FOUND = PoliciesFound(names=("even",), results=(result(),))


class Bench:
    """Stands for `at_bench`: what it was given, and what its work is said to have found."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, found: Any, *, is_stopped: bool = False
    ) -> None:
        self.plans: list[Plan] = []
        self._found = found, is_stopped
        monkeypatch.setattr(_load_order, "at_bench", self._at_bench)

    async def _at_bench(self, plan: Plan, *_: object, **__: object) -> tuple[Any, bool]:
        await trio.lowlevel.checkpoint()
        self.plans.append(plan)
        return self._found


def order(**changes: Any) -> Order:
    """What is wanted, of a server that nobody asks."""
    return Order(asked=Asked(model="m"), whom=Whom(endpoint=("http://a:1",)), **changes)


async def never(bench: object) -> None:
    """Work that is not done here."""
    raise AssertionError(bench)


def ending(found: PoliciesFound) -> tuple[int, str]:
    """Not all was well."""
    return 1, f"{len(found.results)} to doubt"


async def test_what_was_found_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each run is as long as one of several; the ending is that of what was found."""
    bench = Bench(monkeypatch, FOUND)
    path = tmp_path / "found.json"
    assert await carry_out(order(files=Files(json=path)), FIVE, never, ending) == 1
    assert [each.duration_s for each in bench.plans] == [20.0]
    assert msgspec.json.decode(path.read_bytes())["kind"] == "policies"
    said = capsys.readouterr()
    assert said.out.endswith(f"written to {path}\n")
    assert said.err == "error: 1 to doubt\n"


async def test_a_stop_is_no_ending(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What there is is told all the same, also the last thing that cancelled work has left."""
    for found, so_far in ((FOUND, ()), (None, (FOUND, FOUND))):
        Bench(monkeypatch, found, is_stopped=True)
        assert await carry_out(order(), FIVE, never, ending, so_far=so_far) == 130
        said = capsys.readouterr()
        assert "The client was not the bottleneck" in said.out
        assert said.err == "interrupted: the figures are of what was measured so far\n"
    Bench(monkeypatch, None, is_stopped=True)
    assert await carry_out(order(), FIVE, never, ending) == 130
    assert capsys.readouterr().err == "interrupted: nothing was measured\n"


async def test_nothing_begins_with_wrong_options(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are told before a server is asked."""
    bench = Bench(monkeypatch, FOUND)
    there = tmp_path / "there.html"
    there.write_text("mine")
    for wrong, error in (
        (order(slo=("fast",)), LoadTestError),
        (order(window=Window(duration="long")), LoadTestError),
        (order(files=Files(report=there)), ReportError),
        (order(files=Files(report=Path("-"))), CliError),
    ):
        with pytest.raises(error):
            await carry_out(wrong, FIVE, never, ending)
    assert bench.plans == []
