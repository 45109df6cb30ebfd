"""Makes the picture of a load test's report, docs/figures/load-report.png, from a real run.

Run with ``python -m benchmarks.load_picture``, or ``make picture``. Two simulated servers get a
load that rises above what they can do for a while. It needs Chromium, and takes some 80 s.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import trio

from triollama_adapters.loadtest.measures.objectives import parse_objective
from triollama_adapters.loadtest.plan import OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.report.page import make_page
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload
from triollama_adapters.simulator import SimulatorConfig, open_simulators

ROOT: Final = Path(__file__).parent.parent
PICTURE: Final = ROOT / "docs/figures/load-report.png"

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")

WIDTH, HEIGHT, SCALE = 1160, 1830, 0.62
"""As much as says what the page is, small enough to stand on another one."""

PHASES: Final = (
    Phase(20.0, 5.0, 5.0),
    Phase(20.0, 5.0, 14.0),
    Phase(10.0, 14.0, 5.0),
    Phase(20.0, 5.0, 5.0),
)


async def run() -> Result:
    """The run."""
    scenario = Scenario(
        name="all",
        model="llama3.2",
        prompts=Prompts(tokens=200, spread=0.3),
        answers=Answers(tokens=40, spread=0.3),
    )
    async with open_simulators(2, SimulatorConfig()) as urls:
        plan = Plan(
            target=Target(endpoints=tuple(urls)),
            workload=Workload(scenarios=(scenario,)),
            shape=OpenLoop(phases=PHASES),
            duration_s=sum(each.duration_s for each in PHASES),
            warm_up_s=5.0,
            objectives=(parse_objective("ttft_p95<800ms"),),
        )
        return await run_load(plan, name="rising load")


def draw(page: Path, browser: str) -> None:
    """What a browser shows of the page."""
    subprocess.run(
        [
            browser,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--window-size={WIDTH},{HEIGHT}",
            f"--force-device-scale-factor={SCALE}",
            "--virtual-time-budget=4000",
            f"--screenshot={PICTURE}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=60.0,
    )


def main() -> None:
    """Make the picture."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit("the picture of a report needs Chromium")
    result = trio.run(run)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_text(make_page([result]))
        draw(page, browser)


if __name__ == "__main__":
    main()
