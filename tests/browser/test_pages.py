"""Every kind of page in a real browser, without a network: drawn, at both widths and in both schemes, and at work."""

import base64
import itertools
import re
import warnings
import xml.etree.ElementTree as ElementTree
import zlib

import pytest

from .chromium import Chromium, found
from .kinds import KINDS, write_every_kind

WIDE = 1280
CONTRAST, OF_AREAS = 4.5, 2.95
"""What WCAG asks at level AA: of text, and of areas that must be told apart."""

PROGRAM = found()
if PROGRAM is None:
    warnings.warn(
        "NO BROWSER: pages were not looked at; install Debian's chromium (apt-get install chromium)", stacklevel=1
    )
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine; see the warning")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return write_every_kind(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    started = Chromium(PROGRAM, tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


UNDRAWN = """
[...document.querySelectorAll('.chart')].filter((place) => place.offsetParent !== null).filter((place) => {
  const marks = place.querySelectorAll('svg path, svg .point, svg rect');
  return !marks.length || place.getBoundingClientRect().height < 100;
}).map((place) => place.dataset.figure)
"""
"""Figures that are shown and have nothing in them."""

SPILLED = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


LEVELS = """
[...document.querySelectorAll('h1, h2, h3, h4, h5')].filter((each) => each.offsetParent !== null)
  .map((each) => Number(each.tagName[1]))
"""


TEXTS = """
[...document.querySelectorAll('body *')].filter((each) => each.offsetParent !== null && !each.closest('svg') &&
    [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim())).map((each) => {
  let under = each, paper;
  while (/, 0\\)$/.test(paper = getComputedStyle(under).backgroundColor)) under = under.parentElement;
  return [each.className + ' ' + each.tagName, getComputedStyle(each).color, paper];
})
"""
AREAS = (
    "['west', 'north', 'paper'].map((name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name))"
)


def luminance(colour):
    parts = [int(part, 16) for part in re.findall("[0-9a-f]{2}", colour)] if colour.strip()[0] == "#" else None
    parts = parts or [int(part) for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


FIGURES = {"consistency": 1}
"""At least on a page, where it is not two; printed, it is a page longer."""


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_drawn_whole_and_can_be_read_at_every_width_in_every_scheme_and_on_paper(pages, browser, kind):
    browser.load(pages[kind])
    assert browser.run("document.querySelectorAll('.chart').length") >= FIGURES.get(kind, 2)
    browser.run("document.querySelectorAll('details.plain').forEach((each) => each.open = true)")
    for width, dark in ((1280, False), (1280, True), (400, True), (400, False)):
        browser.size(width)
        browser.scheme(dark)
        browser.settled()
        where = f"{kind}, {width} px, {'dark' if dark else 'light'}"
        assert browser.run(UNDRAWN) == [], where
        assert browser.run(SPILLED) == 0, where
        if width == WIDE:
            pale = {tuple(each) for each in browser.run(TEXTS) if contrast(*each[1:]) < CONTRAST}
            assert pale == set(), where
            west, north, paper = browser.run(AREAS)
            assert min(contrast(west, north), contrast(west, paper), contrast(north, paper)) > OF_AREAS, where
    headings_have_no_gaps(browser)
    assert browser.complaints == []
    assert set(browser.requests) <= {pages[kind].as_uri(), (pages[kind].parents[1] / "plotly.min.js").as_uri()}


def headings_have_no_gaps(browser):
    levels = browser.run(LEVELS)
    assert levels[0] == 1
    assert [(one, other) for one, other in itertools.pairwise(levels) if other > one + 1] == []
    places = browser.run("[...document.querySelectorAll('#contents a')].map((each) => each.hash.slice(1))")
    assert len(places) >= 5
    assert browser.run(f"{places}.every((place) => document.getElementById(place))")


def test_a_pointer_on_a_bar_is_told_what_it_is_at(pages, browser):
    browser.load(pages["run"])
    box = browser.run(
        "(() => { const bar = document.querySelector('[data-figure=stages] .point path'); bar.scrollIntoView();"
        " const { x, y, width, height } = bar.getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()"
    )
    browser.pointer("mouseMoved", *box)
    said = "document.querySelector('[data-figure=stages] .hoverlayer .hovertext')"
    assert browser.until(f"!!{said}")
    assert "forward" in browser.run(f"{said}.textContent")
    fill = browser.run(f"getComputedStyle({said}.querySelector('path')).fill")
    ink = browser.run(f"getComputedStyle({said}.querySelector('text')).fill")
    assert contrast(fill, ink) >= CONTRAST


CELLS = "[...document.querySelectorAll('.all tbody tr')].map((row) => [row.cells[0].textContent, row.cells[{}].title])"


def test_the_full_table_filters_and_its_first_press_sorts_from_the_largest(pages, browser):
    browser.load(pages["run"])
    browser.run("document.querySelector('details.all').open = true")
    assert browser.until("document.querySelectorAll('.all tbody tr').length > 20")
    heads = browser.run("[...document.querySelectorAll('.all th')].map((each) => each.textContent)")
    for name in ("cycles", "DRAM read"):
        press = (
            f"[...document.querySelectorAll('.all th button')].find((each) => each.textContent === '{name}').click()"
        )
        browser.run(press)
        shown = [int(row[1]) for row in browser.run(CELLS.format(heads.index(name)))]
        assert shown == sorted(shown, reverse=True)
        browser.run(press)
        assert [int(row[1]) for row in browser.run(CELLS.format(heads.index(name)))] == shown[::-1]
    browser.run("(() => { const own = document.querySelector('.filter'); own.value = 'WU array';"
                " own.dispatchEvent(new Event('input')); })()")  # fmt: skip
    kept = browser.run(CELLS.format(0))
    assert 0 < len(kept) < len(shown)
    browser.run("(() => { const own = document.querySelector('.filter'); own.value = '<b>none</b>';"
                " own.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert re.match(
        r"None of \d+ operators has “<b>none</b>”", browser.run("document.querySelector('.all tbody').innerText")
    )


def test_a_link_opens_its_run_and_stands_at_its_section(pages, browser):
    browser.load(pages["compare"], anchor="#run2-roofline")
    assert browser.run("document.getElementById('run2').offsetParent !== null")
    assert browser.run("document.querySelector('.picker [aria-pressed=true]').dataset.panel") == "run2"
    assert abs(browser.run("document.getElementById('run2-roofline').getBoundingClientRect().top")) < 200
    browser.run("document.querySelector('[data-panel=run0]').click()")
    assert browser.run("location.hash") == "#run0"
    assert browser.until("!document.querySelector('#contents a[href^=\"#run2\"]')")


@pytest.mark.parametrize(
    ("kind", "figure"),
    [("run", "roofline"), ("run", "hardware"), ("explore", "parallel"), ("event", "timeline")],
)
def test_a_figure_can_be_saved_as_a_picture_and_as_drawing(pages, browser, kind, figure):
    browser.load(pages[kind])
    asked = f"pictureOf(document.querySelector('[data-figure={figure}]'), '{{}}')"
    png = base64.b64decode(browser.run(asked.format("png")).partition("base64,")[2])
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") > 800
    drawing = browser.run(
        f"{asked.format('svg')}.then((address) => decodeURIComponent(address.slice(address.indexOf(',') + 1)))"
    )
    assert ElementTree.fromstring(drawing).tag.endswith("svg")


def test_a_figure_comes_closer_and_goes_back(pages, browser):
    browser.load(pages["run"])
    place = "document.querySelector('[data-figure=roofline]')"
    range_of = f"{place}._fullLayout.xaxis.range.map(Number)"
    button = (
        f"[...{place}.parentElement.querySelectorAll('button')].find((each) => each.textContent === '{{}}').click()"
    )
    low, high = browser.run(range_of)
    browser.run(button.format("+"))
    assert browser.until(f"Math.abs({range_of}[1] - {range_of}[0] - {(high - low) / 2}) < 1e-6")
    browser.run(button.format("whole"))
    assert browser.until(f"Math.abs({range_of}[1] - {high}) < 1e-6")


def test_dragging_along_an_axis_keeps_the_designs_that_pass_there(pages, browser):
    browser.load(pages["explore"])
    grip = "document.querySelectorAll('[data-figure=parallel] rect[fill=transparent]')[4]"
    x, y, height = browser.run(
        f"(() => {{ const grip = {grip}; grip.scrollIntoView({{ block: 'center' }});"
        " const box = grip.getBoundingClientRect(); return [box.x + box.width / 2, box.y, box.height]; })()"
    )
    kept = "Number(document.querySelector('[data-figure=parallel]').dataset.kept)"
    every = browser.run(kept)
    browser.pointer("mousePressed", x, y + 2)
    browser.pointer("mouseMoved", x, y + height / 3, buttons=1)
    browser.pointer("mouseReleased", x, y + height / 3)
    assert 0 < browser.run(kept) < every
    browser.pointer("mousePressed", x, y + 2)
    browser.pointer("mouseReleased", x, y + 2)
    assert browser.run(kept) == every


def test_a_choice_hands_the_timeline_to_perfetto_and_to_nobody_else(pages, browser):
    browser.load(pages["event"])
    # In place of the site's window one that notes what it is sent; the answer comes from the site's origin, or another.
    browser.run(
        "window.sent = []; window.open = (address) => { window.opened = address;"
        " return { postMessage: (what, to) => sent.push([what, to]) }; }; null"
    )
    trace = (pages["event"].parent / "timeline.json.gz").read_bytes()
    browser.run(
        f"(() => {{ const chosen = new DataTransfer(); chosen.items.add(new File([Uint8Array.from({list(trace)})],"
        " 'timeline.json.gz')); const own = document.querySelector('.perfetto input'); own.files = chosen.files;"
        " own.dispatchEvent(new Event('change')); })()"
    )
    assert browser.until("sent.length > 0")
    answer = "dispatchEvent(new MessageEvent('message', { data: 'PONG', origin: '%s' }))"
    browser.run(answer % "https://evil.example")
    assert browser.run("sent.every(([what]) => what === 'PING')")
    browser.run(answer % "https://ui.perfetto.dev")
    given = browser.run("[sent[sent.length - 1][1], sent[sent.length - 1][0].perfetto.fileName,"
                        " [...new Uint8Array(sent[sent.length - 1][0].perfetto.buffer)]]")  # fmt: skip
    assert given[:2] == ["https://ui.perfetto.dev", "timeline.json.gz"]
    assert bytes(given[2]) == trace
    assert browser.run("document.querySelector('.perfetto [role=status]').textContent").endswith("open in Perfetto.")


def letters_by_page(pdf):
    """How many pieces of text stand on each page, as Chromium writes them."""
    objects = dict(re.findall(rb"\n(\d+) 0 obj\n(.*?)\nendobj", pdf, flags=re.DOTALL))
    pages = [each for each in objects.values() if re.match(rb"<</Type /Page\b", each)]
    streams = [objects[re.search(rb"/Contents (\d+) 0 R", page)[1]] for page in pages]
    drawn = [zlib.decompress(each.split(b"stream\n", 1)[1].rsplit(b"\nendstream", 1)[0]) for each in streams]
    return [len(re.findall(rb"\bT[jJ]\b", each)) for each in drawn]


@pytest.mark.parametrize("kind", KINDS)
def test_no_printed_page_is_empty_and_no_figure_is_wider_than_paper(pages, browser, kind):
    browser.load(pages[kind])
    browser.run(
        "addEventListener('beforeprint', () => { window.widest = Math.max(...[...document.querySelectorAll("
        "'.chart svg.main-svg')].map((each) => each.getBoundingClientRect().width)); })"
    )
    printed = browser.pdf()
    assert printed.startswith(b"%PDF")
    letters = letters_by_page(printed)
    assert len(letters) > FIGURES.get(kind, 2)
    assert min(letters) > 0, letters
    assert 0 < browser.run("window.widest") <= 670
    assert browser.run("document.querySelector('.chart').style.width") == "", "the screen has its own again"


@pytest.mark.parametrize("kind", ["run", "explore"])
def test_print_has_the_assumptions_and_no_buttons(pages, browser, kind):
    browser.load(pages[kind])
    browser.media("print")
    assert browser.run("document.querySelector('#assumption-list table').offsetHeight") > 500
    assert browser.run("document.querySelector('.tools').offsetHeight") == 0
    browser.media("")


def test_no_page_is_larger_than_two_megabytes(pages):
    sizes = {kind: page.stat().st_size for kind, page in pages.items()}
    assert {kind: size for kind, size in sizes.items() if size > 2_000_000} == {}
