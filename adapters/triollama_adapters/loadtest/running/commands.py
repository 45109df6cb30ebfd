"""Who strikes real servers: a command of the user's."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO, Final

import attrs
import trio

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.running.faults import Step, StrikeError, Striker

__all__ = ["PLACES", "CommandStriker"]

COMMAND_S: Final = 30.0
"""How long a user's command may take, unless they say otherwise."""

PLACES: Final = ("{act}", "{endpoint}", "{host}", "{port}", "{percent}")
"""What is replaced in a user's command."""

TEXT_MAX: Final = 200
"""Bytes of what a failed command said that are told."""


@attrs.frozen
class CommandStriker:
    """Strikes servers by a command of the user's; see `Striker`.

    The command is run as it is, without a shell: each of its words is one argument, in which
    `PLACES` are replaced: ``{act}`` by ``kill``, ``restart``, ``stall``, ``go_on``, ``slow`` or
    ``restore``; ``{endpoint}`` by ``host:port``; ``{percent}`` by the speed for ``slow``, else 100.

    Attributes:
        words: the program and its arguments.
        deadline_s: how long it may take; then it is killed.
    """

    words: tuple[str, ...]
    deadline_s: float = COMMAND_S

    @classmethod
    def parse(cls, text: str, *, deadline_s: float = COMMAND_S) -> Striker:
        """From one line, in which quotes hold words together as they do in a shell.

        Raises:
            PlanError: there is no word in it, or a quote that does not end.
        """
        try:
            words = tuple(shlex.split(text))
        except ValueError as error:
            raise PlanError(f"the fault command {text!r} is not usable: {error}") from error
        if not words:
            raise PlanError("the fault command is empty; give a program and its arguments")
        return cls(words, deadline_s)

    async def strike(self, step: Step) -> str:
        """Run the command; see `Striker.strike`."""
        command = [_filled(word, _places(step)) for word in self.words]
        with TemporaryFile() as printed:
            try:
                with trio.fail_after(self.deadline_s):
                    code = await _run(command, printed)
            except trio.TooSlowError:
                raise StrikeError(
                    f"the command {command[0]} did not end within {self.deadline_s:g} s"
                ) from None
            except OSError as error:
                why = error.strerror or type(error).__name__
                raise StrikeError(f"the command {command[0]} cannot be run: {why}") from error
            if code:
                raise StrikeError(f"the command {command[0]} ended with {code}{_said(printed)}")
        return f"by {command[0]}"


async def _run(command: Sequence[str], printed: IO[bytes]) -> int:
    """Run it to its end; if cancelled, kill it with all that it started."""
    ended = await trio.run_process(
        command,
        stdin=subprocess.DEVNULL,
        stdout=printed,
        stderr=printed,
        check=False,
        start_new_session=True,
        deliver_cancel=_kill_all,
    )
    return ended.returncode


async def _kill_all(process: trio.Process) -> None:
    """Kill a process and what it started, which is in its session."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _said(printed: IO[bytes]) -> str:
    """The beginning of what a command printed, after a colon; empty for nothing."""
    printed.seek(0)
    said = " ".join(printed.read(TEXT_MAX).decode(errors="replace").split())
    return f": {said}" if said else ""


def _places(step: Step) -> Mapping[str, str]:
    host, _, port = step.endpoint.rpartition(":")
    values = (step.act, step.endpoint, host.strip("[]"), port, f"{100 * step.share:g}")
    return dict(zip(PLACES, values, strict=True))


def _filled(word: str, places: Mapping[str, str]) -> str:
    for place, value in places.items():
        word = word.replace(place, value)
    return word
