"""Draw the pipeline as text or as a Mermaid flowchart."""

from __future__ import annotations

from azml_tasks.plan import DatasetInput, Input, Output, Plan


def as_text(plan: Plan) -> str:
    """Return each step with its inputs and the readers of its outputs, in running order."""
    readers = _readers(plan)
    blocks = []
    for step in plan.steps:
        rows = [(_way_in(item), "<-", _source(item)) for item in step.inputs]
        rows += [(output.argument, "->", ", ".join(readers.get(output, ())) or "(kept)") for output in step.outputs]
        rows += [("after", "<-", key) for key in step.order_only]
        width = max((len(row[0]) for row in rows), default=0)
        title = step.key if step.label == step.key else f"{step.key} ({step.label})"
        blocks.append("\n".join([title, *(f"  {name:{width}} {arrow} {what}" for name, arrow, what in rows)]))
    return "\n".join(blocks)


def as_mermaid(plan: Plan) -> str:
    """Return a Mermaid flowchart; GitHub and Azure DevOps draw it in Markdown."""
    datasets = {item.dataset: "" for step in plan.steps for item in step.inputs if isinstance(item, DatasetInput)}
    names = {("dataset", name): f"data{place}" for place, name in enumerate(datasets)}
    names.update({("step", step.key): f"step{place}" for place, step in enumerate(plan.steps)})
    lines = ["flowchart TD"]
    lines += [f"  {names['dataset', name]}[({_quoted(name)})]" for name in datasets]
    lines += [f"  {names['step', step.key]}[{_quoted(step.label)}]" for step in plan.steps]
    for step in plan.steps:
        target = names["step", step.key]
        for item in step.inputs:
            source = ("dataset", item.dataset) if isinstance(item, DatasetInput) else ("step", item.output.step)
            lines.append(f"  {names[source]} -->|{_quoted(_way_in(item))}| {target}")
        lines += [f"  {names['step', key]} -.-> {target}" for key in step.order_only]
    return "\n".join(lines)


def _readers(plan: Plan) -> dict[Output, list[str]]:
    readers: dict[Output, list[str]] = {}
    for step in plan.steps:
        for item in step.inputs:
            if not isinstance(item, DatasetInput):
                readers.setdefault(item.output, []).append(step.key)
    return readers


def _way_in(item: Input) -> str:
    return item.argument or f"run.input_datasets['{item.name}']"


def _source(item: Input) -> str:
    if isinstance(item, DatasetInput):
        return f"{item.dataset} (dataset)"
    return f"{item.output.step} {item.output.argument}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "#quot;") + '"'
