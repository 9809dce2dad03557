"""The graph of a pipeline as an image that stands alone."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from azml_tasks.runs.report.image import graph_image
from tests.plan.test_diagram import FAN, planned

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>&\"'</text>"


def texts(image: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(image).iter(f"{SVG}text")]


def test_steps_and_the_datasets_that_they_read_are_nodes_and_every_way_between_them_a_curve():
    image = graph_image(planned(FAN))

    root = ElementTree.fromstring(image)
    assert texts(image)[:3] == ["customers", "dataset", "all_prices"]
    assert sorted(texts(image)[::2]) == sorted(
        ["customers", "all_prices", 'Prepare "it"', "small", "large", "choose", "clean"]
    )
    # customers and all_prices to prepare, customers to large; prepare to small, large and choose, ...
    assert len(root.findall(f".//{SVG}g[@class='edges']/{SVG}path")) == 3 + 3 + 2 + 2
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


def test_it_is_escaped_and_needs_nothing_from_elsewhere():
    image = graph_image(planned({"a": {"step_name": HOSTILE}, "b": {}}))

    assert {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(image).iter()} <= {
        *("svg", "title", "style", "g", "path", "rect", "text")
    }
    assert re.findall(r"https?://[^\"]+|url\(|@import|href", image) == ["http://www.w3.org/2000/svg"]


def test_the_colors_of_light_and_dark_screens_are_in_it_without_variables():
    light, dark = graph_image(planned({"a": {}})).split("@media (prefers-color-scheme: dark)")

    assert "var(" not in light + dark
    assert ".node .name { font-size: 13.5px; font-weight: 600; fill: #1c2530; }" in light
    assert ".node .name { font-size: 13.5px; font-weight: 600; fill: #e6eaf0; }" in dark
