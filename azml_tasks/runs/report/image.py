"""The graph of a pipeline as an SVG image, drawn as on the page about a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from azml_tasks.plan import DatasetInput, Plan
from azml_tasks.runs.report.graph import NodeView, draw, is_tall
from azml_tasks.runs.report.page import environment_for
from azml_tasks.runs.report.texts import Hider

# A wider graph (pixels) is drawn from top to bottom.
_ROOM = 1010
_HERE = Path(__file__).parent


def graph_image(plan: Plan) -> str:
    """Return the steps and the datasets that they read as an SVG document, with colors for light and dark screens."""
    from markupsafe import Markup

    above: dict[str, list[str]] = {}
    nodes: dict[str, NodeView] = {}
    for step in plan.steps:
        read = dict.fromkeys(item.dataset for item in step.inputs if isinstance(item, DatasetInput))
        for name in read:
            above.setdefault(_node_of(name), [])
            nodes[_node_of(name)] = NodeView(name, "dataset", "reused", f"dataset {name}")
        above[step.key] = [*map(_node_of, read), *step.upstream]
        script = step.step.script_name
        nodes[step.key] = NodeView(step.label, script, "running", f"step {step.key}: {script}")
    colors, rules = ((_HERE / name).read_text(encoding="utf-8") for name in ("colors.css", "graph.css"))
    light, dark = (_resolved(rules, part) for part in colors.split("@media"))
    style = f"{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
    graph = draw(above, is_tall=is_tall(above, _ROOM))
    template = environment_for(Hider()).get_template("image.svg.jinja")
    return template.render(graph=graph, nodes=nodes, style=Markup(style)).lstrip()  # noqa: S704 - our own


def _node_of(dataset: str) -> str:
    """Return the key of a dataset's node, which no step has."""
    return f"\0{dataset}"


def _resolved(rules: str, colors: str) -> str:
    """Return rules with the colors themselves, because few programs but browsers have variables."""
    values: Mapping[str, str] = dict(re.findall(r"(--[\w-]+): ([^;]+);", colors))
    return re.sub(r"var\((--[\w-]+)\)", lambda found: values[found[1]], rules)
