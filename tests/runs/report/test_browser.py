"""The page in a browser: no error, no request, every control by keyboard, no sideways scrolling."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from azml_tasks.runs.report.page import report_page
from tests.runs.report import chromium, example

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(chromium.program() is None, reason="Chromium is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="the browser's pipes have numbers"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    before = example.run("20261128-000000-0000", failed=False, lr=0.1)
    (folder / "page.html").write_text(report_page(example.run(), before, folder), encoding="utf-8")
    return (folder / "page.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    with chromium.browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_opens_without_an_error_and_fits_its_window(browser, address, width, dark):
    page = browser.page()

    page.open(address, width, dark=dark)

    assert page.messages == []
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("performance.getEntriesByType('resource').filter(one => !one.name.startsWith('data:')).length") == 0
    background = page.run("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(18, 22, 28)" if dark else "rgb(246, 247, 249)")  # so the style was not refused
    assert page.run("[...document.images].every(image => image.naturalWidth > 0)")


def test_everything_that_unfolds_does_so_by_keyboard(browser, address):
    page = browser.page()
    page.open(address)
    controls = page.run("document.querySelectorAll('summary').length")
    before = page.run("[...document.querySelectorAll('details')].map(one => one.open)")

    seen = 0
    for _ in range(400):
        page.press("Tab")
        if page.run("document.activeElement === document.body"):
            break
        if page.run("document.activeElement.localName") == "summary":
            seen += 1
            page.press("Enter", "\r")

    after = page.run("[...document.querySelectorAll('details')].map(one => one.open)")
    assert (seen, after) == (controls, [not is_open for is_open in before])
    assert page.messages == []


def test_a_link_of_the_graph_leads_to_its_step(browser, address):
    page = browser.page()
    page.open(address)

    page.run("document.querySelector('.graph.wide a.node:last-of-type').dispatchEvent(new MouseEvent('click'))")

    assert page.run("location.hash") == "#step-3"


def test_what_is_hidden_on_a_narrow_screen_is_the_wide_graph(browser, address):
    page = browser.page()
    page.open(address, 390)
    shown = "[...document.querySelectorAll('.graph')].filter(one => one.offsetHeight).map(one => one.className)"

    assert page.run(shown) == ["graph narrow"]


def test_printed_it_is_a_document_of_some_pages(browser, address, tmp_path: Path):
    page = browser.page()
    page.open(address)

    assert page.call("Page.printToPDF")["data"].startswith("JVBERi")
