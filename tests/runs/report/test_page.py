"""The page about a run: complete, small, harmless, and readable without eyes."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from azml_tasks.runs.details import Log, RunDetails, StepDetails
from azml_tasks.runs.origin import StepOrigin
from azml_tasks.runs.report.page import LARGEST, report_page, size_without_images
from tests.runs.report import example

HERE = Path("/tmp/project/.azml/reports")
VOID = {"meta", "img", "br", "link", "input", "hr"}
# What SVG closes in itself.
SHAPES = {"rect", "path", "circle"}


class Elements(HTMLParser):
    """The elements of a page in order, with their attributes, and the text outside of style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.wrong: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def page() -> str:
    before = example.run("20261128-000000-0000", failed=False, lr=0.1)
    return report_page(example.run(), before, HERE, [example.SECRET])


@pytest.fixture(scope="module")
def elements(page: str) -> Elements:
    return Elements(page)


def test_every_element_is_closed_in_its_order(elements):
    assert (elements.wrong, elements.open) == ([], [])


def test_nothing_of_the_run_becomes_an_element_or_a_script(page, elements):
    assert elements.all("script") == []
    assert {tag for tag, _ in elements.found} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer", "nav", "h1", "h2"),
        *(
            "h3",
            "p",
            "a",
            "ul",
            "li",
            "dl",
            "dt",
            "dd",
            "div",
            "span",
            "small",
            "br",
            "code",
            "pre",
            "table",
            "caption",
        ),
        *("thead", "tbody", "tr", "th", "td", "figure", "figcaption", "img", "details", "summary", "svg", "g"),
        *(*SHAPES, "text"),
    }
    assert [name for _, attributes in elements.found for name in attributes if name.startswith("on")] == []
    assert [name for _, attributes in elements.found for name in attributes if name == "style"] == []
    assert "49" not in re.findall(r"`(\d+)", page)


def test_the_page_loads_nothing_and_links_to_files_and_https_alone(elements):
    policy = next(one for one in elements.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert re.fullmatch(
        r"default-src 'none'; img-src data:; style-src 'sha256-[\w+/]+='; base-uri 'none'; form-action 'none'",
        policy["content"],
    )
    assert all(one["src"].startswith("data:image/png;base64,") for one in elements.all("img"))
    links = {one["href"] for one in elements.all("a")}
    assert {link for link in links if not link.startswith("#")} == {
        "https://ml.azure.com/runs/abc?wsid=/x&tid=y",
        "../a%20%3Cb%3E/plot.png",
    }


def test_secrets_are_hidden_everywhere(page):
    assert example.SECRET not in page
    assert "k3Yk3Y" not in page
    assert "hush" not in page
    assert "password is *** and AccountKey=***" in page
    assert ">abc<" not in page  # the value of the metric api_key


def test_what_a_terminal_acts_on_is_not_in_the_page(page):
    assert "red progress 100%" not in page
    assert "progress 100%" in page
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", page) == []


def test_the_last_200_lines_of_a_log_are_shown_and_the_error_of_a_failed_step_is_unfolded(page, elements):
    assert "the last 200 of 504 lines" in page
    assert page.count("line 499\n") == 3
    assert ("line 304\n" in page, "line 303\n" in page) == (True, False)
    (opened,) = [one for one in elements.all("details") if one.get("id", "").startswith("log-") and "open" in one]
    assert opened["id"] == "log-step-3"
    assert page.index("KeyError: &#39;age&#39;") < page.index('id="steps"')


def test_the_page_has_everything_that_is_known(elements):
    text = " ".join("".join(elements.text).split())
    for wanted in (
        *(
            "Run 20261129-043919-781e failed",
            "s2 failed: exit status 1",
            "on this machine",
            "commit 1a2b3c4d5e6f (main)",
        ),
        *("0.8765", "not finite", "10,000", "the first 30 are shown", "rows: true, columns: predicted"),
        *("the file is missing", "it cannot be read", "before: 0.1 → now: 0.5"),
        *("commit 1a2b3c4d5e6f (main)", "Changes since 20261128-000000-0000"),
        *("scores version 1", "pandas 2.2.3", "--input-folder ← s0 --output-folder", "Open on Azure ML", "table é"),
    ):
        assert wanted in text, wanted


def test_the_structure_can_be_read_without_eyes(elements):
    (html,) = elements.all("html")
    assert html["lang"] == "en"
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {one["aria-labelledby"] for one in elements.all("section") if "aria-labelledby" in one}
    assert named <= set(ids)
    assert {one["href"][1:] for one in elements.all("a") if one["href"].startswith("#")} <= set(ids)
    assert all(one.get("alt") for one in elements.all("img"))
    for _, attributes in elements.found:
        if attributes.get("role") in ("img", "group"):
            assert attributes["aria-label"]
    assert all("role" in one or one.get("aria-hidden") == "true" or "width" in one for one in elements.all("svg"))
    assert all(one.get("scope") in ("col", "row") for one in elements.all("th"))
    levels = [int(tag[1]) for tag, _ in elements.found if re.fullmatch(r"h\d", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    # Whatever scrolls can be reached by keyboard.
    classes = [(one.get("class") or "", one) for one in elements.all("div")]
    assert all(one.get("tabindex") == "0" for name, one in classes if name.split()[:1] in (["scroll"], ["graph"]))


@pytest.mark.many
def test_sixty_steps_with_long_logs_and_many_points_stay_small():
    details = example.run(count=60)
    long = Log("".join(f"{n} {'x' * 90}\n" for n in range(400)), 400)
    steps = tuple(replace(step, metrics=example.TRAIN, log=long) for step in details.steps)

    page = report_page(replace(details, steps=steps), None, HERE)

    assert size_without_images(page) <= LARGEST
    assert page.count('class="node ') == 60
    assert "Last values" in page


@pytest.mark.many
def test_many_steps_that_read_from_far_above_stay_small():
    count = 140
    keys = [f"{n:03}-{'a_long_name_of_a_step_' * 3}" for n in range(count)]
    records = tuple(example.Step(key, "completed", reason="no earlier result") for key in keys)
    above = {keys[n]: tuple({keys[n - 1], keys[n // 3]}) if n else () for n in range(count)}
    steps = tuple(StepDetails(one, StepOrigin(after=above[one.key])) for one in records)
    run = example.Run("20261129-043919-781e", "churn", "completed", 0.0, 1.0, records)

    page = report_page(RunDetails(run, steps=steps), None, HERE)

    assert size_without_images(page) <= LARGEST
    assert page.count('class="node ') == count


def test_a_run_that_has_just_begun_has_a_page_too():
    record = example.Run("20261129-043919-781e", "churn", "running", None)

    page = report_page(RunDetails(record), None, HERE)

    assert "Run 20261129-043919-781e" in page
    assert Elements(page).wrong == []


def test_a_link_to_a_file_elsewhere_is_relative_to_the_page():
    page = report_page(example.run(), None, Path("/tmp/elsewhere"))

    assert 'href="../project/.azml/a%20%3Cb%3E/plot.png"' in page
