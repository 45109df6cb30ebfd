"""The page in a real browser: it draws everything, says nothing, and asks nobody."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from tests.adapters.loadtest.report.browser import Browser, Page, find_browser, open_browser
from tests.adapters.loadtest.report.made_results import make_plan, make_result, make_untimed
from tests.adapters.loadtest.report.made_searches import (
    make_ab,
    make_capacity,
    make_differences,
    make_discovered,
    make_policies,
    make_sweep,
)

from triollama_adapters.loadtest.report.page import make_page
from triollama_adapters.loadtest.result import Counts, Heat, Rates

CHROMIUM = find_browser()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium"),
]

# A chart counts as drawn when its canvas has at least this many colours that are not the ground.
BLANK = """
[...document.querySelectorAll('canvas')].filter(canvas => {
  const { width, height } = canvas;
  if (!width || !height) return true;
  const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  const seen = new Set();
  for (let n = 0; n < pixels.length; n += 4)
    if (pixels[n + 3]) seen.add([0, 1, 2].map(at => pixels[n + at] >> 4).join());
  return seen.size < 4;
}).length
"""

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

RUN = make_result(plan=make_plan(rate=9.0))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests; it starts in two seconds."""
    assert CHROMIUM
    with open_browser(CHROMIUM) as opened:
        yield opened


def show(browser: Browser, folder: Path, text: str, **options: object) -> Page:
    """The page, opened."""
    path = folder / "report.html"
    path.write_text(text, "utf-8")
    return browser.open(path, **options)


def assert_sound(page: Page) -> None:
    """Nothing was complained about, nothing was asked for, every chart has something in it."""
    assert page.complaints == []
    assert len(page.requests) == 1
    assert page.requests[0].startswith("file:")
    assert page.evaluate(BLANK) == 0
    assert page.evaluate(OVERFLOW) == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_a_run_is_drawn_at_every_width_in_both_themes(
    browser: Browser, tmp_path: Path, theme: str, width: int
) -> None:
    """Eight charts over time, a heat map, four distributions, two of the machine; bars beside."""
    page = show(browser, tmp_path, make_page([RUN]), theme=theme, width=width)
    assert_sound(page)
    assert page.evaluate("document.querySelectorAll('canvas').length") == 15
    assert page.evaluate("document.querySelectorAll('svg.bullet').length") == 3
    assert page.evaluate("document.querySelectorAll('.stack .track').length") == 5
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(13, 17, 23)") == (theme == "dark")


@pytest.mark.parametrize(
    ("name", "canvases"),
    [("sweep", 19), ("capacity", 19), ("ab", 19), ("policies", 19), ("discovered", 0)],
)
@pytest.mark.parametrize("width", [1280, 390])
def test_every_search_has_its_page(
    browser: Browser, tmp_path: Path, name: str, canvases: int, width: int
) -> None:
    """The distributions of all runs, and all of one run."""
    made = {
        "sweep": make_sweep,
        "capacity": make_capacity,
        "ab": make_ab,
        "policies": make_policies,
        "discovered": make_discovered,
    }
    differences = make_differences() if name == "ab" else ()
    text = make_page([], search=made[name](), differences=differences)
    page = show(browser, tmp_path, text, width=width)
    assert_sound(page)
    assert page.evaluate("document.querySelectorAll('canvas').length") == canvases
    assert page.evaluate("document.querySelectorAll('h1').length") == 1


def test_two_runs_are_compared(browser: Browser, tmp_path: Path) -> None:
    """What changed, as a table with a verdict each."""
    runs = [RUN, make_result(name="after", plan=make_plan(rate=6.0, duration_s=30.0))]
    page = show(browser, tmp_path, make_page(runs, differences=make_differences()))
    assert_sound(page)
    assert page.evaluate("document.querySelectorAll('#differences tbody tr').length") == 4


def test_a_run_in_which_nothing_was_answered_is_shown(browser: Browser, tmp_path: Path) -> None:
    """A page without figures is a page."""
    bare = msgspec.structs.replace(
        RUN,
        counts=Counts(scheduled=9, sent=9, errors={"connect": 9}, details={}),
        rates=Rates(offered=1.0),
        metrics={},
        attained=None,
        ledger=None,
        endpoints=(),
        scenarios=(),
        moments=(),
        heat=Heat((), ()),
        loaded=(),
        host=(),
        events=(),
    )
    page = show(browser, tmp_path, make_page([bare]))
    assert_sound(page)
    assert "was answered" in page.evaluate("document.querySelector('h1').textContent")


def test_a_run_without_timings_is_shown(browser: Browser, tmp_path: Path) -> None:
    """Three terms in place of seven."""
    page = show(browser, tmp_path, make_page([make_untimed(plan=make_plan(rate=4.0))]))
    assert_sound(page)
    assert page.evaluate("document.querySelectorAll('#ledger tbody tr').length") == 4


def test_hostile_names_stay_texts(browser: Browser, tmp_path: Path) -> None:
    """Nothing of what a server said runs."""
    hostile = "</script><img src=x onerror='document.title=1'><script>document.title=1</script>"
    counts = Counts(scheduled=9, ok=8, errors={"connect": 1}, details={"connect": {hostile: 1}})
    run = msgspec.structs.replace(RUN, name=hostile, counts=counts)
    page = show(browser, tmp_path, make_page([run]))
    assert_sound(page)
    assert page.evaluate("document.title") != "1"
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert hostile in page.evaluate("document.querySelector('#errors').textContent")


def test_the_theme_can_be_chosen(browser: Browser, tmp_path: Path) -> None:
    """From what the system prefers to light, and on to dark; charts are drawn anew."""
    page = show(browser, tmp_path, make_page([RUN]), theme="dark")
    seen = []
    for _ in range(3):
        seen.append(page.evaluate("document.documentElement.dataset.theme"))
        page.evaluate("document.getElementById('theme').click()")
    assert seen == ["dark", "light", "dark"]
    assert_sound(page)


def test_a_point_of_the_curve_shows_its_run(browser: Browser, tmp_path: Path) -> None:
    """By mouse, and by keyboard; it begins with the knee."""
    page = show(browser, tmp_path, make_page([], search=make_sweep()))
    heading = "document.querySelector('#summary h2').textContent"
    assert page.evaluate(heading).startswith("8 users:")
    page.evaluate(
        "[...document.querySelectorAll('#curve g[role=button]')].at(-1)"
        ".dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }))"
    )
    page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert page.evaluate(heading).startswith("64 users:")
    assert_sound(page)


def test_a_screen_reader_finds_its_way(browser: Browser, tmp_path: Path) -> None:
    """Charts, bars and controls have names; sections have headings, in order."""
    page = show(browser, tmp_path, make_page([RUN]))
    unnamed = page.evaluate(
        "[...document.querySelectorAll('[role=img], button, select, section, nav, summary')]"
        ".filter("
        "each => !(each.getAttribute('aria-label') || each.getAttribute('aria-labelledby')"
        " || each.textContent.trim())).length"
    )
    assert unnamed == 0
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map(each => Number(each.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.evaluate("document.documentElement.lang") == "en"


def test_it_prints_light_and_whole(browser: Browser, tmp_path: Path) -> None:
    """Also from a dark screen: definitions are there, what is only for a screen is not."""
    page = show(browser, tmp_path, make_page([RUN]), theme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.evaluate("document.querySelectorAll('details.what:not([open])').length") == 0
    page.ask("Emulation.setEmulatedMedia", media="print", features=page.prefers("dark"))
    assert page.evaluate("getComputedStyle(document.querySelector('.bar')).display") == "none"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert_sound(page)


ASIDE = """
[...document.querySelectorAll('#runs .wide, #differences .wide, #pairs .wide')]
  .filter(each => each.scrollWidth > each.clientWidth).length
"""


@pytest.mark.parametrize("width", [1280, 1100, 768, 620, 390, 320])
@pytest.mark.parametrize("name", ["capacity", "ab"])
def test_the_tables_of_a_search_fit(
    browser: Browser, tmp_path: Path, name: str, width: int
) -> None:
    """Also with what the longest verdicts say; nobody has to scroll sideways to read one."""
    capacity = make_capacity()
    why = "ttft_p95<800ms: " + "12.34% of 1,234 requests were beyond 0.8 s; " * 4
    steps = tuple(msgspec.structs.replace(each, why=why) for each in capacity.steps)
    search = msgspec.structs.replace(capacity, steps=steps) if name == "capacity" else make_ab()
    differences = make_differences() if name == "ab" else ()
    page = show(
        browser, tmp_path, make_page([], search=search, differences=differences), width=width
    )
    assert_sound(page)
    assert page.evaluate(ASIDE) == 0
    if name == "ab":
        heads = page.evaluate(
            "[...document.querySelectorAll('#differences thead th')].map(each => each.textContent)"
        )
        assert heads[:4] == ["figure", "A: old card", "B: new card", "change"]


def test_a_search_of_one_run_says_so(browser: Browser, tmp_path: Path) -> None:
    """Above its sentence."""
    page = show(browser, tmp_path, make_page([], search=make_sweep((4,))))
    assert page.evaluate("document.querySelector('#search .over').textContent").endswith("1 run")
