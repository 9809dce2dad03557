"""Write the page about a run: one HTML file that needs neither the network nor scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.runs.compare import compare
from azml_tasks.runs.details import RunDetails
from azml_tasks.runs.report.charts import HEIGHT as CHART_HEIGHT
from azml_tasks.runs.report.charts import WIDTH as CHART_WIDTH
from azml_tasks.runs.report.graph import HEIGHT, WIDTH
from azml_tasks.runs.report.texts import Budget, Hider
from azml_tasks.runs.report.view import View

if TYPE_CHECKING:
    from jinja2 import Environment

# Bytes of a page without images, and how often a smaller budget is tried.
LARGEST = 300_000
_SMALLER = 0.6
_MOST_TRIES = 8
_IMAGE = re.compile(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+")
_HERE = Path(__file__).parent


def report_page(details: RunDetails, before: RunDetails | None, folder: Path, secrets: Iterable[str] = ()) -> str:
    """Return the page about a run, as HTML.

    `before` is the run that it is compared with, `folder` is where the page will be, for links to files, and `secrets`
    are texts that must not be in it.
    """
    comparison = compare([before, details]) if before else None
    hide = Hider(secrets)
    budget, page = Budget(), ""
    for _ in range(_MOST_TRIES):
        page = _rendered(View(details, comparison, folder, hide, budget), hide)
        if size_without_images(page) <= LARGEST:
            break
        budget = budget.scaled(_SMALLER)
    return page


def size_without_images(page: str) -> int:
    """Return the size of a page in bytes, without the images in it."""
    return len(_IMAGE.sub("", page).encode())


def _rendered(view: View, hide: Hider) -> str:
    from markupsafe import Markup

    style = "".join((_HERE / name).read_text(encoding="utf-8") for name in ("colors.css", "graph.css", "report.css"))
    digest = base64.b64encode(hashlib.sha256(f"\n{style}".encode()).digest()).decode()
    template = environment_for(hide).get_template("report.html.jinja")
    sizes = {"chart_width": CHART_WIDTH, "chart_height": CHART_HEIGHT}
    return template.render(view=view, style=Markup(style), digest=Markup(digest), **sizes).lstrip()  # noqa: S704 - our own


def environment_for(hide: Hider) -> Environment:
    """Return the templates, which hide secrets in everything that they print."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: object) -> object:
        if isinstance(value, (Markup, int, float)):
            return value
        return "" if value is None else hide(value)

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
    environment.filters["short"] = hide.short
    # Not looked through: it is no text, and made of harmless letters.
    environment.filters["image"] = Markup
    environment.globals |= {"width": WIDTH, "height": HEIGHT}
    return environment
