"""README and docs say what is so: their Python runs, their options, fields and links exist.

A Python block that begins with a comment like ``# first.py`` is a whole program, or with one like
``# test_app.py`` a test suite. Every other one stands inside ``async with open_engine() as
engine``. All of them run here.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import attrs
import pytest
import trio

import triollama
from triollama import _errors
from triollama.actors.pool import Outcome
from triollama_adapters.batch.input.plan import Format
from triollama_adapters.batch.rows import RowError
from triollama_adapters.cli import main
from triollama_adapters.cli._failures import EXIT_CODES
from triollama_adapters.cli._records import OWN_KEYS
from triollama_adapters.simulator import FaultRule, SimulatorConfig
from triollama_adapters.simulator.faults import KINDS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = (
    *("run", "batch", "load", "chat", "status", "simulate", "demo"),
    *("pull", "push", "create", "list", "show", "ps", "stop", "copy", "delete"),
)
LOAD_COMMANDS = ("sweep", "capacity", "discover", "compare", "ab", "policies", "report")


def python_blocks() -> Iterator[tuple[str, int, str]]:
    """Page, line and source of each Python block."""
    for page in PAGES:
        text = page.read_text()
        for found in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield page.name, text.count("\n", 0, found.start(1)) + 1, found[1]


def named(source: str) -> str:
    """The file name that a block begins with, or nothing."""
    match = re.match(r"# (\w+\.py)\n", source)
    return match[1] if match else ""


def blocks(*, programs: bool) -> list[Any]:
    """Programs, or the blocks that stand inside an engine's block, as parameters."""
    return [
        pytest.param(page, line, source, id=f"{page}:{line}")
        for page, line, source in python_blocks()
        if not named(source).startswith("test_") and bool(named(source)) is programs
    ]


def compiled(page: str, line: int, source: str, flags: int = 0) -> CodeType:
    """The block's code, so that a traceback shows the page and its line."""
    code = compile("\n" * (line - 1) + source, page, "exec", flags)
    assert isinstance(code, CodeType)
    return code


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """What ``triollama COMMAND --help`` prints."""
    assert main([*command, "--help"]) == 0
    return capsys.readouterr().out


def rows(page: str) -> dict[str, list[str]]:
    """The rows of all tables of a page whose first cell is one code span, by that span."""
    found = re.findall(r"^\| `([^`]+)` \|(.*)\|$", (ROOT / page).read_text(), re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in found}


@pytest.mark.slow
@pytest.mark.parametrize(("page", "line", "source"), blocks(programs=True))
def test_program_runs(
    page: str, line: int, source: str, ollama_simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each whole program runs as it stands, against the server that OLLAMA_HOST names."""
    monkeypatch.setenv("OLLAMA_HOST", ollama_simulator.url)
    exec(compiled(page, line, source), {"__name__": "__main__"})


@pytest.mark.slow
@pytest.mark.parametrize(("page", "line", "source"), blocks(programs=False))
async def test_block_runs(
    page: str,
    line: int,
    source: str,
    ollama_simulator: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Each other block runs inside an engine's block; what it writes stays in a folder."""
    monkeypatch.setenv("OLLAMA_HOST", ollama_simulator.url)
    monkeypatch.chdir(tmp_path)
    code = compiled(page, line, source, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with triollama.open_engine() as engine:
        result = eval(code, {"engine": engine, "triollama": triollama, "trio": trio})
        if inspect.iscoroutine(result):
            await result


def test_simulated_time_gives_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A program under a mock clock prints the very lines that its page shows below it."""
    shown = re.compile(r"^```python\n([^`]*MockClock[^`]*)^```\n\n```\n(.*?)^```$", re.M | re.S)
    found = [pair for page in PAGES for pair in shown.findall(page.read_text())]
    assert found
    for source, output in found:
        exec(compile(source, "page", "exec"), {"__name__": "__main__"})
        assert capsys.readouterr().out == output


@pytest.mark.slow
def test_suites_pass(ollama_simulator: Any) -> None:
    """The test functions that the pages show pass, each with the fixture as new."""
    suites = [block for block in python_blocks() if named(block[2]).startswith("test_")]
    assert suites
    for page, line, source in suites:
        names: dict[str, Any] = {"__name__": named(source)}
        exec(compiled(page, line, source), names)
        for function in [value for name, value in names.items() if name.startswith("test_")]:
            ollama_simulator.reset()
            function(ollama_simulator)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each option that a page gives to a command is in that command's help."""
    known = help_of(capsys, command)
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        for call in re.findall(rf"triollama {command}\b([^`\n|>]*)", text):
            within = call.split(maxsplit=1)[0] if command == "load" and call.strip() else ""
            told = help_of(capsys, command, within) if within in LOAD_COMMANDS else known
            for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", call):
                assert re.search(rf"{option}\b", told), f"{page.name}: {command} {option}"


def test_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Each option in a code span exists in some command, or in the benchmarks."""
    known = "".join(help_of(capsys, command) for command in COMMANDS)
    known += help_of(capsys, "batch", "resume")
    known += "".join(help_of(capsys, "load", command) for command in LOAD_COMMANDS)
    known += (ROOT / "benchmarks" / "__main__.py").read_text()
    for page in PAGES:
        for option in re.findall(r"`(--[a-z-]+)", page.read_text()):
            assert re.search(rf"{option}\b", known), f"{page.name}: {option}"


def test_make_targets_exist() -> None:
    """Each make target that a page names is in the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"[`$] ?make ([a-z]+)", page.read_text())) <= targets, page.name


def test_links_lead_somewhere() -> None:
    """Each link into this tree leads to a file, and to a heading where it names one."""
    for page in PAGES:
        for path, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", page.read_text()):
            target = page.parent / path if path else page
            assert target.is_file(), f"{page.name}: {path}"
            if not anchor:
                continue
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            slugs = {heading.lower().replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name}: #{anchor}"


def test_defaults_are_the_true_ones() -> None:
    """The tables of the configuration name each field, with the default that the code has."""
    told = rows("docs/configuration.md")
    for field in attrs.fields(triollama.EngineConfig):
        if field.name not in {"probe", "limits", "check_models", "prices"}:
            assert float(told[field.name][0]) == field.default, field.name
    for field in attrs.fields(triollama.ProbeConfig):
        assert told[field.name][0].strip("`") == str(field.default).removesuffix(".0"), field.name
    for kind in (triollama.EndpointConfig, triollama.TLSConfig, triollama.RateLimit):
        assert {field.name for field in attrs.fields(kind)} <= told.keys()
    assert told["max_in_flight"][0] == str(
        attrs.fields(triollama.EndpointConfig).max_in_flight.default
    )


def test_every_error_is_told() -> None:
    """The page on streams lists each public exception, and none that does not exist."""
    text = (ROOT / "docs" / "streams.md").read_text()
    told = set(re.findall(r"`(\w+Error)`", text))
    assert told == set(_errors.__all__) - {"TriollamaError"}


def test_simulator_page_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """The page on the simulator lists each option, default, fault and condition of a rule."""
    told = rows("docs/simulator.md")
    text = (ROOT / "docs" / "simulator.md").read_text()
    options = set(re.findall(r"--[a-z-]+", help_of(capsys, "simulate")))
    knobs = options - {"--host", "--port", "--config", "--fast", "--truth"}
    assert knobs == {name for name in told if name.startswith("--")}
    for knob in knobs:
        name = knob[2:].replace("-", "_")
        default = getattr(attrs.fields(SimulatorConfig), name).default
        assert (told[knob][0], float(told[knob][1])) == (f"`{name}`", default)
    assert set(KINDS) <= told.keys()
    for field in attrs.fields(FaultRule):
        assert f"`{field.name}`" in text


def test_run_page_is_whole() -> None:
    """The page on a quick pass lists each field of a record and each outcome of an attempt."""
    assert rows("docs/run.md").keys() == OWN_KEYS
    text = (ROOT / "docs/run.md").read_text()
    assert all(f"`{outcome.value}`" in text for outcome in Outcome)


def test_batch_page_is_whole() -> None:
    """The page on batches lists each format, each kind of bad row and each exit code."""
    text = (ROOT / "docs/batch.md").read_text()
    assert all(f"`{each.value}`" in text for each in Format)
    assert set(re.findall(r"``(\w+)``", RowError.__doc__ or "")) <= set(
        re.findall(r"`(\w+)`", text)
    )
    codes = re.findall(r"^\| (\d+) \| (.*) \|$", text, re.MULTILINE)
    assert [int(code) for code, _ in codes] == list(EXIT_CODES)
    for (_, told), meaning in zip(codes, EXIT_CODES.values(), strict=True):
        assert meaning.startswith(told)
