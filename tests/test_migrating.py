"""The page on coming from other clients: what it shows of them runs as well, where they are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "migrating.md"
LIBRARIES = {"ollama": "ollama", "openai": "openai", "langchain": "langchain_ollama"}
TASKS = 10


def tasks() -> list[str]:
    """The sections of the ten tasks."""
    return re.split(r"^## \d+\. ", PAGE.read_text(), flags=re.MULTILINE)[1:]


def shown(section: str, library: str) -> list[str]:
    """What a section shows of a library."""
    return re.findall(rf"^```py\n(# {library}\n.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_ten_tasks_with_all_libraries() -> None:
    """Each task is shown once with each library, and once here."""
    assert len(tasks()) == TASKS
    for section in tasks():
        for library in LIBRARIES:
            assert len(shown(section, library)) == 1, section.splitlines()[0]
        assert section.count("```python\n") == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_compiles(library: str) -> None:
    """Each program is Python."""
    for section in tasks():
        for source in shown(section, library):
            compile(source, str(PAGE), "exec")


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_runs(library: str, ollama_simulator: Any, tmp_path: Path) -> None:
    """The programs of a library, one behind the other in one process, print something."""
    if find_spec(LIBRARIES[library]) is None:
        pytest.skip(f"{LIBRARIES[library]} is not installed")
    parts = [source for section in tasks() for source in shown(section, library)]
    text = "\n".join(parts).replace("http://localhost:11434", ollama_simulator.url)
    program = tmp_path / f"{library}_before.py"
    program.write_text(text)
    environment = {**os.environ, "OLLAMA_HOST": ollama_simulator.url}
    # What other libraries warn of is theirs.
    command = [sys.executable, "-W", "ignore", str(program)]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) >= TASKS - 2
