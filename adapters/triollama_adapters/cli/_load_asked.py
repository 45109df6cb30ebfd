"""The options of ``triollama load`` that say what is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import msgspec
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._load_mix import read_json, read_mix
from triollama_adapters.cli._load_words import duration_s, share
from triollama_adapters.cli._options import make_options
from triollama_adapters.loadtest.workload.scenario import (
    Answers,
    Prompts,
    Scenario,
    Workload,
)

__all__ = ["ASKED", "PLAIN", "Asked"]

ASKED: Final = Group("What is asked", sort_key=2)

ANY_JSON: Final = "json"

ANSWER_TOKENS: Final = 128
"""An answer whose length is limited makes two runs comparable."""

Repeated = Annotated[tuple[str, ...], Parameter(negative_iterable=(), show_default=False)]
Hidden = Parameter(show_default=False)


@Parameter(name="*", group=ASKED)
@attrs.frozen(kw_only=True)
class Asked:
    """What is asked.

    Attributes:
        model: The model to ask. Default: the only one there is, or the simulator's first.
        prompt: Always this one. Default: made-up ones that are --prompt-tokens long, each another.
        prompts: A file whose rows are asked in turn: JSON lines, or plain lines.
        prompt_field: The field of each row of --prompts that holds the text.
        prompt_tokens: Length of made-up prompts, as the model counts them. Default: 200.
        prompt_spread: Standard deviation of that length as a share of it, such as 30%.
        shared_tokens: So many tokens at the beginning are the same within a group, as those of a
            long system prompt; servers may have them cached.
        groups: How many different shared beginnings there are.
        answer_tokens: Tokens of an answer at most (num_predict); 0 lets the model stop by itself.
        answer_spread: Standard deviation of that, as a share.
        turns: Requests per session; each has what was said before it.
        think_time: Mean pause of a user before the next turn, and in a closed loop before the next
            session.
        cancels: Share of requests whose user leaves before the end, such as 10%.
        cancel_within: When they leave: evenly within this time after sending.
        images: A picture that goes with each prompt; repeat it for more.
        tools: A file with a JSON array of tool definitions.
        format: json, or a file with a JSON schema that answers follow.
        system: System message of every session.
        think: Let the model think, or keep it from it. Default: as the model does by itself.
        option: An option of Ollama as NAME=VALUE, such as num_ctx=8192; repeat it for more.
        mix: A JSON file with several scenarios and their weights, instead of all of these; see
            docs/load-testing.md.
    """

    model: Annotated[str | None, Parameter(name=["--model", "-m"])] = None
    prompt: str | None = None
    prompts: Path | None = None
    prompt_field: str | None = None
    prompt_tokens: Annotated[int | None, Parameter(validator=Number(gte=1, lte=10**6))] = None
    prompt_spread: Annotated[str, Hidden] = "0"
    shared_tokens: Annotated[int, Parameter(validator=Number(gte=0)), Hidden] = 0
    groups: Annotated[int, Parameter(validator=Number(gte=1)), Hidden] = 1
    answer_tokens: Annotated[int, Parameter(validator=Number(gte=0))] = ANSWER_TOKENS
    answer_spread: Annotated[str, Hidden] = "0"
    turns: Annotated[int, Parameter(validator=Number(gte=1, lte=1_000)), Hidden] = 1
    think_time: Annotated[str, Hidden] = "0s"
    cancels: Annotated[str, Hidden] = "0"
    cancel_within: str = "5s"
    images: Repeated = ()
    tools: Path | None = None
    format: str | None = None
    system: str | None = None
    think: bool | None = None
    option: Repeated = ()
    mix: Path | None = None

    def workload(self, model: str) -> Workload:
        """The same as a value of the plan. Reads the files that were named.

        Args:
            model: the model that is asked, which is settled by now; empty if scenarios name theirs.

        Raises:
            CliError: options exclude each other, mean nothing, or a file cannot be used.
            LoadTestError: a time is not one.
        """
        if self.mix is not None:
            self._refuse_beside_mix()
            return read_mix(self.mix, model)
        scenario = Scenario(
            name="all",
            model=model,
            prompts=self._prompts(),
            answers=Answers(
                tokens=self.answer_tokens or None,
                spread=share("--answer-spread", self.answer_spread),
            ),
            turns=self.turns,
            think_s=self.think_s(),
            cancels=share("--cancels", self.cancels),
            cancel_s=duration_s("--cancel-within", self.cancel_within),
            system=self.system or "",
            tools=_tools(self.tools),
            format=_format(self.format),
            options=make_options(self.option) or {},
            think=self.think,
        )
        return Workload(scenarios=(scenario,))

    def think_s(self) -> float:
        """The pause of a user, in seconds.

        Raises:
            CliError: it is none.
        """
        return duration_s("--think-time", self.think_time, may_be_zero=True)

    def _prompts(self) -> Prompts:
        if self.prompt is not None and self.prompts is not None:
            raise CliError("--prompt and --prompts exclude each other; give one of them")
        if self.prompts is None and self.prompt_field is not None:
            raise CliError("--prompt-field is a field of the rows of --prompts; give that, too")
        if self.prompt is not None or self.prompts is not None:
            self._refuse_made_up()
        if self.prompts is not None:
            field = self.prompt_field or Prompts().field
            return Prompts(kind="file", path=str(self.prompts), images=self.images, field=field)
        if self.prompt is not None:
            return Prompts(kind="fixed", text=self.prompt, images=self.images)
        return self._made_up()

    def _made_up(self) -> Prompts:
        return Prompts(
            tokens=self.prompt_tokens or Prompts().tokens,
            spread=share("--prompt-spread", self.prompt_spread),
            shared_tokens=self.shared_tokens,
            groups=self.groups,
            images=self.images,
        )

    def _refuse_made_up(self) -> None:
        """Options of made-up prompts mean nothing with others."""
        made = {"--prompt-tokens": self.prompt_tokens, "--shared-tokens": self.shared_tokens}
        for option, value in made.items():
            if value:
                raise CliError(f"{option} is for made-up prompts; leave out --prompt or --prompts")

    def _refuse_beside_mix(self) -> None:
        """A mix says all of it."""
        for field in attrs.fields(Asked):
            given = getattr(self, field.name)
            if field.name not in {"mix", "model"} and given != field.default:
                option = "--" + field.name.replace("_", "-")
                raise CliError(f"{option} is said by the scenarios of --mix; give one of the two")


PLAIN: Final = Asked()


def _tools(path: Path | None) -> tuple[dict[str, Any], ...]:
    if path is None:
        return ()
    tools = read_json("--tools", path)
    if not isinstance(tools, list) or not all(isinstance(each, dict) for each in tools):
        raise CliError(f"--tools {path} must be a JSON array of tool definitions")
    return tuple(tools)


def _format(given: str | None) -> str | dict[str, Any] | None:
    if given is None or given == ANY_JSON:
        return given
    schema = read_json("--format", Path(given), " (it takes json, or a file with a JSON schema)")
    if not isinstance(schema, dict):
        raise CliError(f"--format {given} is JSON, but no schema: it must be an object")
    return msgspec.convert(schema, dict[str, Any])
