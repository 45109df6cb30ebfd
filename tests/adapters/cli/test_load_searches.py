"""What searches of ``triollama load`` end with, who is on which side, who makes the load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.cli.test_load_endings import result

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._load_client import Client
from triollama_adapters.cli._load_command import describe_meant
from triollama_adapters.cli._load_faults import Harm
from triollama_adapters.cli._load_files import may_replace
from triollama_adapters.cli._load_samples import keeping
from triollama_adapters.cli._load_search import _ending_of_capacity, _ending_of_sweep
from triollama_adapters.cli._load_sides import _ending, _sides
from triollama_adapters.cli._load_whom import Whom
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import Target
from triollama_adapters.loadtest.result import ClientState, Counts
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.search.found import Capacity, PoliciesFound, Step, Sweep

INVALID = result(client=ClientState("INVALID", ("busy",)))


def curve(*results: Any, stopped: str = "") -> Sweep:
    """A sweep of these runs."""
    none = (None,) * len(results)
    full = (False,) * len(results)
    values = tuple(map(float, range(1, len(results) + 1)))
    return Sweep("concurrency", values, values, none, full, results, None, stopped)


def capacity(state: Any, *, is_valid: bool = True) -> Capacity:
    """A capacity of one step."""
    step = Step(1.0, 20.0, "met", False, is_valid, "why", result())  # noqa: FBT003
    return Capacity(state, 1.0, 1.0, 2.0, "sessions/s", 0.04, (), "", "so it is", (step,))


def test_how_a_sweep_ends() -> None:
    """Well, unless nobody answered, or its last run was not the servers' limit."""
    assert _ending_of_sweep(curve(result())) == (0, "")
    code, why = _ending_of_sweep(curve(result(), INVALID, stopped="at 2 busy"))
    assert (code, why) == (4, "INVALID: at 2 busy")
    nobody = result(counts=Counts(scheduled=3))
    assert _ending_of_sweep(curve(nobody))[0] == 1


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (capacity("found"), 0),
        (capacity("above"), 0),
        (capacity("below"), 1),
        (capacity("undetermined"), 1),
        (capacity("undetermined", is_valid=False), 4),
    ],
)
def test_how_a_capacity_ends(found: Capacity, code: int) -> None:
    """An answer that cannot be told is none for a build; whose fault it is makes a difference."""
    ended, why = _ending_of_capacity(found)
    assert ended == code
    assert bool(why) == bool(code)


def test_how_a_comparison_ends() -> None:
    """Both sides have to be measured right."""
    degraded = result(client=ClientState("DEGRADED", ("busy",)))
    assert _ending(PoliciesFound(("a", "b"), (result(), degraded)))[0] == 0
    assert _ending(PoliciesFound(("a", "b"), (result(), INVALID)))[0] == 4


def test_two_sides() -> None:
    """They share no server; simulated ones are A first, and the others B."""
    sides = _sides(("http://a:1", "http://b:1"), ("http://c:1",), Whom())
    assert sides.whom.endpoint == ("http://a:1", "http://b:1", "http://c:1")
    first, second = sides.targets(Target(endpoints=sides.whom.endpoint))
    assert (first.endpoints, second.endpoints) == (("http://a:1", "http://b:1"), ("http://c:1",))
    assert _sides((), (), Whom(simulate=3)).first == 1
    with pytest.raises(CliError, match="is on both sides"):
        _sides(("http://a:1",), ("http://a:1/",), Whom())
    with pytest.raises(CliError, match="at least 2"):
        _sides((), (), Whom(simulate=1))
    with pytest.raises(CliError, match="give the two sides"):
        _sides(("http://a:1",), (), Whom())


def test_who_makes_the_load() -> None:
    """Processes of this machine, or workers of a cluster."""
    assert Client().fleet() is None
    fleet = Client(ray="local", ray_workers=2).fleet(is_simulated=True)
    assert fleet is not None
    assert (fleet.address, fleet.workers) == ("local", 2)
    with pytest.raises(CliError, match="other machines do not reach"):
        Client(ray="10.0.0.1:6379").fleet(is_simulated=True)
    with pytest.raises(CliError, match="give --ray ADDRESS"):
        Client(ray_workers=2).fleet()
    with pytest.raises(CliError, match="give --ray-workers"):
        Client(ray="auto", processes="2").fleet()
    with pytest.raises((CliError, ChoiceError)):
        Client(ray="auto", ray_workers=0).fleet()


def test_faults_need_somebody_who_causes_them() -> None:
    """Simulated servers by themselves, real ones by a command, which needs something to do."""
    Harm().check(is_simulated=False)
    Harm(fault=("kill 1 at 2s",)).check(is_simulated=True)
    Harm(fault=("kill 1 at 2s",), fault_command="./strike {act}").check(is_simulated=False)
    with pytest.raises(CliError, match="needs --fault-command"):
        Harm(fault=("kill 1 at 2s",)).check(is_simulated=False)
    with pytest.raises(CliError, match="give that, too"):
        Harm(fault_command="./strike").check(is_simulated=False)
    with pytest.raises(PlanError, match="quot"):
        Harm(fault=("kill 1 at 2s",), fault_command="'").check(is_simulated=False)


def test_samples_are_kept(tmp_path: Path) -> None:
    """As JSON lines while the load runs; Parquet is made from them, and leaves nothing beside."""
    with keeping(None) as sink:
        assert sink is None
    with keeping(tmp_path / "a.jsonl") as sink:
        assert sink is not None
        sink.add(Sample(session=7))
    assert json.loads((tmp_path / "a.jsonl").read_text())["session"] == 7
    with keeping(tmp_path / "b.parquet") as sink:
        assert sink is not None
        sink.add(Sample(session=7))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.jsonl", "b.parquet"]


def test_a_person_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only at a terminal; anything but yes is no."""

    class Typed:
        """Somebody who types."""

        def __init__(self, line: str) -> None:
            self.line = line

        def isatty(self) -> bool:
            """There is a person."""
            return True

        def readline(self) -> str:
            """What they say."""
            return self.line

    assert not may_replace([tmp_path])
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for line, is_yes in (("y\n", True), ("Yes\n", True), ("\n", False), ("", False)):
        monkeypatch.setattr("sys.stdin", Typed(line))
        assert may_replace([tmp_path]) is is_yes


def test_a_misspelt_subcommand() -> None:
    """Only what is nearly one."""
    assert "triollama load sweep" in describe_meant(["load", "sweeep"])
    assert describe_meant(["load", "--rate"]) == ""
    assert describe_meant(["load", "sweep"]) == ""
    assert describe_meant(["load", "zzz"]) == ""
    assert describe_meant(["batch", "sweeep"]) == ""
