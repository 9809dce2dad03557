"""Texts, trees and pipelines, from noise to nearly right."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

# What a file may hold as text, less what YAML takes for line ends of its own.
CHARACTERS = st.characters(
    codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Zl", "Zp"), max_codepoint=0xFFFD, exclude_characters="\ufeff"
)
TEXTS = st.text(CHARACTERS, max_size=12)

KEYS = (
    *("backend", "ws_name", "resource_group", "subscription_id", "experiment_name", "description", "tags"),
    *("continue_on_step_failure", "pipeline_parameters", "env_name", "compute_name", "steps", "environments"),
    *("datastores", "datasets", "computes", "publish", "schedule", "auth", "targets", "script_name"),
    *("script_directory", "step_name", "step_config", "input_datasets", "input_folders", "output_folders"),
    *("arguments", "run_after", "include", "snapshot", "environment_variables", "max_run_duration_seconds"),
    *("allow_reuse", "destination", "datastore_name", "path", "register_on_complete", "step", "output", "format"),
    *("pip_packages", "conda_packages", "conda_file", "python_version", "base_image", "dockerfile"),
    *("container_name", "account_name", "account_key", "sas_token", "local_path", "type", "mode", "separator"),
    *("set_column_types", "support_multi_line", "version", "name", "vm_size", "vm_priority", "min_nodes"),
    *("max_nodes", "idle_seconds_before_scaledown", "frequency", "interval", "start_time", "time_zone"),
    *("week_days", "hours", "minutes", "time_of_day", "on_blob_change", "path_on_datastore", "polling_interval"),
    *("data_path_parameter_name", "enabled", "method", "tenant_id", "node_count", "<<", "dev", "a", "b", "--x"),
)
WORDS = (
    *("a", "b", "c", "a/--x", "b/--output-folder", "--x", "--input-folder", "a.py", "local", "azure", "cli", "file"),
    *("parquet", "mount", "latest", "Week", "Monday", "18:30", "2026-01-05T09:00:00", "UTC", "Europe/Paris", "null"),
    *("${A}", "${UNSET}", "${A:-b}", "${", "$$", "${{ parameters.p }}", "${{", "${SECRET_KEY}", "*", "2e-5", "0x1f"),
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
    TEXTS,
)
NAMES = st.one_of(st.sampled_from(KEYS), st.sampled_from(WORDS), TEXTS)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=5)),
    max_leaves=25,
)


def written(tree: Any) -> str:
    """Write a tree as JSON, which is YAML 1.2 too."""
    return json.dumps(tree)


VALUES = st.one_of(st.booleans(), st.integers(0, 9), st.floats(0, 1), st.sampled_from(["x", "${A}", "$$", "2e-5"]))
NAME = st.sampled_from(["abc", "churn-ws", "${A}", "a1", "abc_2"])


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return mappings that hold some of the keys; those whose names end with an underscore they always hold."""
    always = {key[:-1]: value for key, value in keys.items() if key.endswith("_")}
    return st.fixed_dictionaries(always, optional={key: value for key, value in keys.items() if not key.endswith("_")})


def mapping(names: str | list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names), values, max_size=3)


ANY_STEP = some(
    script_name_=st.sampled_from(["a", "a.py", "b/c.py"]),
    script_directory=st.sampled_from([".", "steps"]),
    step_name=NAME,
    step_config=st.none() | st.dictionaries(NAMES, st.lists(VALUES, max_size=3) | VALUES, max_size=2),
    input_datasets=mapping(
        ["--d", "--e", "d", "e", "f"],
        st.sampled_from("def") | some(step_=st.sampled_from("abc"), format=st.just("delimited"), output=st.just("--x")),
    ),
    input_folders=mapping(["--in", "--more"], st.sampled_from(["a", "b", "c", "a/--x", "b/--output-folder"])),
    output_folders=st.sampled_from([[], ["--x"], ["--x", "--y"], {"--x": None}, {"--y": {}}])
    | mapping(
        ["--x", "--z"],
        some(destination=some(datastore_name_=NAME, path=st.just("p/{run-id}")), register_on_complete=NAME),
    ),
    arguments=st.lists(VALUES, max_size=3) | mapping(["--p", "--q"], VALUES | VALUES | st.just("${{ parameters.p }}")),
    run_after=st.lists(st.sampled_from("abc"), max_size=1),
    include=st.lists(TEXTS.filter(lambda text: "$" not in text), max_size=2),
    snapshot=st.sampled_from(["imports", "directory"]),
    environment_variables=mapping(["A", "B"], st.sampled_from(["x", "${A}"])),
    max_run_duration_seconds=st.integers(1, 100) | st.none(),
    allow_reuse=st.booleans() | st.none(),
    compute_name=st.just("cpu-1"),
    env_name=NAME,
)
DATASET = st.one_of(
    some(
        local_path_=st.just("d.csv"), separator=st.just(";"), name=NAME, version=st.integers(1, 3) | st.just("latest")
    ),
    some(datastore_name_=NAME, path_=st.sampled_from(["a.csv", ["a.csv", "b/*"]]), local_path_=st.just("d.csv")),
    some(type_=st.just("file"), mode=st.sampled_from(["direct", "mount", "download"]), local_path_=st.just("d")),
)
SCHEDULE = st.one_of(
    some(frequency_=st.sampled_from(["Minute", "Hour", "Day", "Week", "Month"]), interval=st.integers(1, 9)),
    some(
        frequency_=st.just("Week"), week_days_=st.just(["Monday"]), time_of_day_=st.just("18:30"), enabled=st.booleans()
    ),
    some(
        frequency_=st.just("Day"), hours_=st.lists(st.integers(0, 23), min_size=1, unique=True), minutes_=st.just([0])
    ),
    some(on_blob_change_=some(datastore_name_=NAME, polling_interval=st.integers(1, 9)), name=NAME),
)
SECTIONS: dict[str, st.SearchStrategy[Any]] = {
    "backend": st.sampled_from(["azure", "local", "${BACKEND:-azure}"]),
    "ws_name": NAME | st.just("${UNSET}") | st.none(),
    "subscription_id": st.sampled_from(["0" * 8 + "-0000" * 3 + "-" + "a" * 12, "${UNSET}"]),
    "experiment_name": NAME,
    "description": TEXTS.filter(lambda text: "$" not in text),
    "tags": mapping(["t", "u"], NAME),
    "continue_on_step_failure": st.booleans(),
    "pipeline_parameters": st.fixed_dictionaries({"p": VALUES, "q": VALUES}),
    "env_name": NAME,
    "compute_name": st.sampled_from(["cpu-1", "${UNSET}"]),
    "datasets": st.fixed_dictionaries({"d": DATASET, "e": DATASET, "f": DATASET}),
    "datastores": mapping(
        ["s", "t"], some(container_name_=st.just("raw"), account_name_=st.just("acc"), sas_token=st.just("${S}"))
    ),
    "environments": mapping(["e", "f"], some(pip_packages=st.just(["pandas"]), python_version=st.just("3.10"))),
    "computes": mapping(["c1", "c2"], some(vm_size_=NAME, max_nodes=st.integers(2, 3), min_nodes=st.integers(0, 1))),
    "publish": some(name_=NAME, description=NAME) | st.none(),
    "schedule": SCHEDULE | st.none(),
    "auth": st.sampled_from(["cli", {"method": "interactive"}, {"tenant_id": "t"}]),
}


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    """Draw steps that mostly read what the steps before them write."""
    drawn: dict[str, Any] = {}
    outputs = ["a"]
    for key in draw(st.lists(st.sampled_from(["a", "b", "c", "a b"]), unique=True, min_size=1)):
        step = draw(ANY_STEP)
        if drawn and draw(st.integers(0, 9)):
            source = st.sampled_from(outputs)
            step.pop("input_datasets", None)
            step["input_folders"] = draw(st.dictionaries(st.sampled_from(["--in", "--more"]), source, max_size=2))
            step["run_after"] = draw(st.lists(st.sampled_from(list(drawn)), max_size=1))
        elif draw(st.integers(0, 9)):
            step.update(
                input_folders={}, run_after=[], input_datasets=draw(mapping(["--d", "e"], st.sampled_from("de")))
            )
        if draw(st.booleans()):
            step.pop("output_folders", None)
        drawn[key] = step
        written_here = step.get("output_folders", ["--output-folder"])
        outputs = [f"{key}/{name}" for name in written_here] or outputs
    return drawn


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a file that is right in structure, with none to three places that may not be."""
    tree: dict[str, Any] = {"steps": draw(steps()), **draw(st.fixed_dictionaries({}, optional=SECTIONS))}
    if draw(st.booleans()):
        names = st.sampled_from(["dev", "prod"])
        tree["targets"] = draw(
            st.dictionaries(names, st.none() | st.fixed_dictionaries({}, optional=SECTIONS), max_size=2)
        )
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2]))):
        _spoil(draw, tree)
    return tree


def _spoil(draw: st.DrawFn, tree: Any) -> None:
    """Put something else into one place of the tree, or something more."""
    holder = tree
    while isinstance(holder, (dict, list)) and holder:
        place = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if not isinstance(holder[place], (dict, list)) or not holder[place] or draw(st.booleans()):
            if isinstance(holder, dict) and draw(st.booleans()):
                holder[draw(NAMES)] = holder.pop(place) if draw(st.booleans()) else draw(TREES)
            else:
                holder[place] = draw(TREES)
            return
        holder = holder[place]


# The pieces that YAML is made of.
PIECES = (
    *("\n", "\n  ", "\n    ", "\n- ", " ", "\t", ": ", ":", "- ", "? ", ", ", "{", "}", "[", "]", "&a ", "*a", "<<: "),
    *("!!str ", "!x ", "'", '"', "\\", "|", ">", "|+\n", "#", "%", "@", "`", "---\n", "...\n", "\r\n", "\ufeff", "\0"),
    *("\x85", "\u2028", "é", "\U0001f600", "~", "null", "1", "-0x1", ".5", "${A}", "${", "}", "$$", "${{", "}}"),
)
BROKEN_TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(KEYS), TEXTS), max_size=40).map("".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a nearly right file with a few bytes cut out, doubled or put in."""
    raw = written(draw(pipelines())).encode()
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(raw)))
        end = draw(st.integers(start, min(start + 20, len(raw))))
        new = draw(
            st.one_of(st.just(b""), st.just(raw[start:end] * 2), st.binary(max_size=3), BROKEN_TEXTS.map(str.encode))
        )
        raw = raw[:start] + new + raw[end:]
    return raw
