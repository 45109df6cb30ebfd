"""The entry point without its extra."""

import subprocess
import sys

import pytest

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
