"""What a conversation writes, and where."""

import io

import pytest

from triollama_adapters.cli._screen import Screen, without_controls


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_commands_to_the_terminal_are_taken_out() -> None:
    """A model's text cannot move the cursor or set the title; tabs and line ends stay."""
    assert without_controls("a\x1b]0;title\x07b\tc\nd\r\x9b2Je\x7f") == "a]0;titleb\tc\nd2Je"


@pytest.mark.parametrize(("stdout", "told"), [(Terminal(), "red"), (io.StringIO(), "\x1bred")])
def test_only_a_terminal_is_protected(stdout: io.StringIO, told: str) -> None:
    """A file gets the text as the model wrote it."""
    Screen(stdout, io.StringIO(), is_interactive=False).answer("\x1bred")
    assert stdout.getvalue() == told


def test_only_answers_go_to_stdout() -> None:
    """Prompts, thoughts and notes are not results."""
    stdout, stderr = io.StringIO(), io.StringIO()
    screen = Screen(stdout, stderr, is_interactive=True)
    screen.prompt()
    screen.think("hm")
    screen.answer("yes")
    screen.end_answer()
    screen.note("fast")
    assert stdout.getvalue() == "yes\n"
    assert stderr.getvalue() == ">>> hm\n\nfast"


def test_a_line_end_of_the_model_is_not_doubled() -> None:
    """An answer that ends its line is left as it is."""
    stdout = io.StringIO()
    screen = Screen(stdout, io.StringIO(), is_interactive=False)
    screen.answer("yes\n")
    screen.end_answer()
    assert stdout.getvalue() == "yes\n"


@pytest.mark.parametrize(
    ("environment", "is_dimmed"), [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)]
)
def test_no_color_is_respected(environment: dict[str, str], *, is_dimmed: bool) -> None:
    """https://no-color.org: any value but the empty one."""
    stderr = Terminal()
    Screen(io.StringIO(), stderr, is_interactive=True, environment=environment).note("x")
    assert ("\x1b" in stderr.getvalue()) == is_dimmed


def test_no_prompt_without_a_person() -> None:
    """A pipe is not asked for its next line."""
    stderr = io.StringIO()
    Screen(io.StringIO(), stderr, is_interactive=False).prompt()
    assert stderr.getvalue() == ""
