"""The entry point without its extra."""

import subprocess
import sys

import pytest

from triollama_adapters import cli

WITHOUT = """
import sys
sys.modules[{package!r}] = None
from triollama_adapters.cli import main
sys.exit(main(["--help"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("package", ["cyclopts", "rich"])
def test_without_the_extra_it_says_what_to_install(package: str) -> None:
    """One line and exit code 2, no traceback."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(package=package)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "triollama[cli]" in done.stderr
    assert "pip install cyclopts rich" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_stop_while_it_is_loaded_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in the first moments ends it as any later one does."""

    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "import_module", interrupted)
    assert cli.main(["--help"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
