"""Which model is asked."""

import io
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from triollama import ConnectError, FleetUnavailableError, ProtocolError, TriollamaError
from triollama_adapters.cli._failures import CliError, UnreachableError
from triollama_adapters.cli._fleet import ASK_WITHIN_S, SILENT_S, _list_models, choose_model

REFUSED = FleetUnavailableError([ConnectError("refused", endpoint="gone:1")])
FOREIGN = FleetUnavailableError([ProtocolError("is it an Ollama server?", endpoint="web:80")])


@attrs.frozen
class FakeEngine:
    """Lists models after a time, or fails."""

    servers: dict[str, Sequence[str] | TriollamaError | float]

    @property
    def endpoints(self) -> tuple[str, ...]:
        """As the engine's."""
        return tuple(self.servers)

    async def tags(self, *, endpoint: str) -> Any:
        """As the engine's."""
        match self.servers[endpoint]:
            case TriollamaError() as error:
                raise error
            case float() as after_s:
                await trio.sleep(after_s)
                return SimpleNamespace(models=[])
            case names:
                return SimpleNamespace(models=[SimpleNamespace(name=name) for name in names])


async def listed(**servers: Any) -> tuple[list[str], str]:
    """The models, and what was said meanwhile."""
    engine: Any = FakeEngine(servers)
    stderr = io.StringIO()
    return await _list_models(engine, stderr), stderr.getvalue()


async def test_each_model_is_listed_once_and_a_dead_server_is_mentioned() -> None:
    """In the order of the servers."""
    assert await listed(a=["x", "y"], b=REFUSED, c=["y", "z"]) == (
        ["x", "y", "z"],
        "warning: gone:1: refused\n",
    )


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        ([REFUSED], "no endpoint could be reached: gone:1: refused; start one with: ollama serve"),
        ([FOREIGN], r"no endpoint could be used: web:80: is it an Ollama server\?\Z"),
        (
            [FOREIGN, REFUSED],
            r"no endpoint could be used: web:80: is it an Ollama server\? gone:1: refused\Z",
        ),
    ],
)
async def test_only_who_was_not_reached_is_to_be_started(
    failures: list[TriollamaError], told: str
) -> None:
    """A server that answered something else runs already."""
    with pytest.raises(UnreachableError, match=told):
        await listed(**{str(place): failure for place, failure in enumerate(failures)})


async def test_who_is_waited_for_is_told(autojump_clock: MockClock) -> None:
    """Once, after a moment, and only those that have not answered."""
    models, said = await listed(quick=["x"], slow=SILENT_S + 1.0, slower=SILENT_S + 2.0)
    assert (models, said) == (["x"], "waiting for slow, slower ...\n")
    assert (await listed(a=["x"], b=SILENT_S - 1.0))[1] == ""


async def test_a_server_that_never_answers_is_given_up(autojump_clock: MockClock) -> None:
    """It was reached, so there is none to start."""
    with pytest.raises(UnreachableError, match=r"used: mute: no answer within 15 s\Z"):
        await listed(mute=ASK_WITHIN_S + 1.0)


def test_the_only_model_is_taken() -> None:
    """With one model there is nothing to ask the user."""
    assert choose_model(None, ["llama3.2:latest"]) == "llama3.2:latest"


def test_several_models_need_a_name() -> None:
    """They are listed, so that one can be copied."""
    with pytest.raises(CliError, match="a:1b, b:latest; name one with -m"):
        choose_model(None, ["b:latest", "a:1b"])


def test_a_simulator_gives_its_first() -> None:
    """All models of a simulator answer alike."""
    assert choose_model(None, ["b", "a"], take_first=True) == "b"


@pytest.mark.parametrize("take_first", [True, False])
def test_no_model_says_how_to_get_one(*, take_first: bool) -> None:
    """A fresh server has none."""
    with pytest.raises(CliError, match="ollama pull"):
        choose_model(None, [], take_first=take_first)


@pytest.mark.parametrize("wanted", ["llama3.2", "llama3.2:latest", "LLAMA3.2"])
def test_names_are_compared_as_ollama_does(wanted: str) -> None:
    """The tag `latest` may be left out, and case does not matter."""
    assert choose_model(wanted, ["x", "llama3.2:latest"]) == wanted


def test_an_unknown_model_names_those_that_exist() -> None:
    """Before any request is sent."""
    with pytest.raises(CliError, match="'llama4'; there are: a, b"):
        choose_model("llama4", ["b", "a"])
