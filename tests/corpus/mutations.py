"""Mistakes in step scripts and in what is passed to them, and whether `validate` finds each at its lines.

Written from what users were promised, without knowledge of the checks and of their code: a script is changed as a
text, at places that Python's own syntax tree gives, and judged by `invoke validate --strict --format json`. Each
mistake makes the script fail, or leaves a folder, a dataset or a key unread; so each must be found, at its line of
pipeline.yaml and, where the script has one, of the script.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from invoke import Program

from azml_tasks.tasks import namespace

# Import names and the packages that provide them; none is brought by what every run needs.
PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "lightgbm": "lightgbm",
    "matplotlib": "matplotlib",
    "nltk": "nltk",
    "seaborn": "seaborn",
    "sklearn": "scikit-learn",
    "statsmodels": "statsmodels",
    "torch": "torch",
    "xgboost": "xgboost",
}


@dataclass(frozen=True)
class Entry:
    """A line of the step in pipeline.yaml: the key, and what the line holds."""

    key: str
    name: str
    value: object = None

    @property
    def text(self) -> str:
        """The line."""
        name = json.dumps(self.name)
        if self.key in ("output_folders", "words"):
            return f"- {name}"
        return f"{name}: {json.dumps(self.value)}"


@dataclass(frozen=True)
class Step:
    """What a step passes. `packages` are those of its environment; None leaves the imports unchecked."""

    script: str
    directory: str
    entries: tuple[Entry, ...]
    packages: tuple[str, ...] | None = None

    def write(self, folder: Path) -> dict[tuple[str, str], int]:
        """Write pipeline.yaml; return the line of each entry, of each key and of the step by their names."""
        names = {str(entry.value) for entry in self.entries if entry.key == "input_datasets"}
        lines = ["backend: local", "datasets:" if names else "datasets: {}"]
        lines += [f"  {json.dumps(name)}: {{local_path: data.csv}}" for name in sorted(names)]
        if self.packages is not None:
            lines += ["env_name: env", "environments:", "  env:", "    python_version: '3.11'"]
            lines += [f"    pip_packages: {json.dumps(self.packages)}"]
        lines += ["steps:", "  step:"]
        places = {("step", ""): len(lines)}
        lines += [f"    script_name: {json.dumps(self.script)}", f"    script_directory: {json.dumps(self.directory)}"]
        places["script_name", ""] = len(lines) - 1
        keys = ("step_config", "input_datasets", "output_folders", "arguments")
        for key in keys:
            kinds = ("arguments", "words") if key == "arguments" else (key,)
            entries = [entry for entry in self.entries if entry.key in kinds]
            lines.append(f"    {key}:" if entries else f"    {key}: {'[]' if key == 'output_folders' else '{}'}")
            places[key, ""] = len(lines)
            for entry in entries:
                lines.append("      " + entry.text)
                places.setdefault((key, entry.name), len(lines))
        if ("step_config", "") in places and not any(entry.key == "step_config" for entry in self.entries):
            lines[places["step_config", ""] - 1] = "    max_run_duration_seconds: 600"
        (folder / "data.csv").write_text("a\n1\n", encoding="utf-8")
        (folder / "pipeline.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return places


@dataclass(frozen=True)
class Finding:
    """A problem or a note as `validate` prints it."""

    file: str
    line: int | None
    level: str
    message: str


@dataclass(frozen=True)
class Mistake:
    """A changed script or step, and what must be said: words of the message, and the lines of both sides.

    `at` is where pipeline.yaml is wrong, as (key, name), several when more than one line is right; `there` are lines of
    the script that the message names as well (or where it stands, without `at`).
    """

    kind: str
    what: str
    step: Step
    text: str | None = None
    words: tuple[str, ...] = ()
    at: tuple[tuple[str, str], ...] = ()
    there: range | None = None


@dataclass(eq=False)
class Declared:
    """A call of add_argument in a script."""

    call: ast.Call
    flags: list[ast.Constant]
    keywords: dict[str, ast.expr]
    statement: bool

    @property
    def names(self) -> list[str]:
        """The flags, as texts."""
        return [str(flag.value) for flag in self.flags]

    @property
    def lines(self) -> range:
        """The lines of the call."""
        return range(self.call.lineno, (self.call.end_lineno or self.call.lineno) + 1)


@dataclass(eq=False)
class Script:
    """The text of a script and what stands where in it."""

    text: str
    declared: list[Declared] = field(default_factory=list)
    parsers: list[int] = field(default_factory=list)
    arguments: list[ast.Attribute] = field(default_factory=list)
    datasets: list[ast.Constant] = field(default_factory=list)
    imports: list[ast.stmt] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> Script:
        """Read a script; raises SyntaxError."""
        tree = ast.parse(text)
        script = cls(text)
        statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        parsed: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and (called := _called(node.value)):
                script.parsers += [node.lineno] if called == "ArgumentParser" else []
                parsed |= {getattr(target, "id", "") for target in node.targets if called == "parse_args"}
            elif isinstance(node, ast.Call) and (declared := _declared(node, id(node) in statements)):
                script.declared.append(declared)
            elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
                key = node.slice
                if node.value.attr == "input_datasets" and isinstance(key, ast.Constant) and isinstance(key.value, str):
                    script.datasets.append(key)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in parsed:
                script.arguments.append(node)
        script.imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        return script

    def replaced(self, changes: Sequence[tuple[ast.expr | ast.stmt, str]]) -> str:
        """Return the text with nodes replaced; each keeps its number of lines."""
        lines = [line.encode() for line in self.text.splitlines(keepends=True)]
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line))
        content = b"".join(lines)
        for node, new in sorted(changes, key=lambda change: (-change[0].lineno, -change[0].col_offset)):
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            kept = content[start:end].count(b"\n") - new.count("\n")
            content = content[:start] + new.encode() + b" \\\n" * kept + content[end:]
        return content.decode()

    def source(self, node: ast.AST) -> str:
        """Return the text of a node."""
        return ast.get_source_segment(self.text, node) or ""


def _called(node: ast.expr) -> str:
    """Return the name of the function or method that is called; empty if nothing is."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _declared(node: ast.Call, statement: bool) -> Declared | None:
    """Return the argument that a call declares with literal names; None if it declares none."""
    flags = [one for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    plain = flags and len(flags) == len(node.args) and all(keyword.arg for keyword in node.keywords)
    if _called(node) != "add_argument" or not plain:
        return None
    return Declared(node, flags, {str(keyword.arg): keyword.value for keyword in node.keywords}, statement)


def misspelled(word: str, chance: random.Random) -> str:
    """Return a name with two neighbouring letters exchanged, or with a letter more if all are alike."""
    inner = [place for place in range(len(word) - 1) if word[place : place + 2].isalpha()]
    inner = [place for place in inner if word[place] != word[place + 1]]
    if not inner:
        return word + "x"
    place = chance.choice(inner)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _dest(flag: str) -> str:
    """Return the attribute that argparse makes of a flag."""
    return flag.lstrip("-").replace("-", "_")


def dashed(flag: str) -> str:
    """Return a flag with dashes for underscores, or the other way."""
    name = flag.lstrip("-")
    other = name.replace("_", "-") if "_" in name else name.replace("-", "_")
    return flag[: len(flag) - len(name)] + other


def arguments_of(words: Sequence[str]) -> list[Entry]:
    """Return the entries of arguments: a mapping where it can be one, else a list."""
    pairs = list(zip(words[::2], words[1::2], strict=False))
    is_mapping = len(words) % 2 == 0 and len(dict(pairs)) == len(pairs)
    is_mapping = is_mapping and all(name.startswith("--") and not value.startswith("-") for name, value in pairs)
    if is_mapping:
        return [Entry("arguments", name, value) for name, value in pairs]
    return [Entry("words", word) for word in words]


@dataclass(frozen=True, eq=False)
class Passed:
    """An option that the step passes and the script declares: its entry, the declaration, and its value if known."""

    entry: Entry
    declared: Declared
    value: str | None

    @property
    def key(self) -> tuple[str, str]:
        """Where it stands in pipeline.yaml."""
        return ("arguments" if self.entry.key == "words" else self.entry.key, self.entry.name)

    @property
    def value_keys(self) -> tuple[tuple[str, str], ...]:
        """Where its value stands in pipeline.yaml."""
        return (self.key, (self.key[0], self.value or "")) if self.entry.key == "words" else (self.key,)


def passed_of(step: Step, script: Script) -> list[Passed]:
    """Return what is passed and declared once, in the script itself."""
    found = []
    for place, entry in enumerate(step.entries):
        declared = [one for one in script.declared if entry.name in one.names]
        if not entry.name.startswith("--") or len(declared) != 1:
            continue
        after = step.entries[place + 1] if place + 1 < len(step.entries) else None
        value = None
        if entry.key == "arguments":
            value = str(entry.value)
        elif entry.key == "words" and after is not None and not after.name.startswith("-"):
            value = after.name
        found.append(Passed(entry, declared[0], value))
    return found


Mistakes = Iterator[Mistake]


def _swap(step: Step, entry: Entry, *new: Entry) -> Step:
    """Return the step with an entry replaced."""
    place = next(place for place, one in enumerate(step.entries) if one is entry)
    return replace(step, entries=(*step.entries[:place], *new, *step.entries[place + 1 :]))


def script_mistakes(step: Step, script: Script, chance: random.Random) -> Mistakes:
    """Yield mistakes in the parser of the script."""
    for one in passed_of(step, script):
        flag, value, declared = one.entry.name, one.value, one.declared
        constant = next(node for node in declared.flags if node.value == flag)
        alone = len(declared.flags) == 1
        parser = range(min(script.parsers, default=1), declared.lines.stop)
        for kind, new in (("rename", misspelled(flag, chance)), ("dash", dashed(flag))):
            if new != flag and alone:
                text = script.replaced([(constant, json.dumps(new))])
                # The name may also be missed where the script reads the argument.
                words = (flag, new) if kind == "dash" else (_dest(flag), _dest(new))
                at = (one.key, ("script_name", ""))
                yield Mistake(f"script: {kind}", f"{flag} -> {new}", step, text, words, at, parser)
        if declared.statement and alone and len(script.declared) > 1:
            text = script.replaced([(declared.call, "pass")])
            yield Mistake("script: drop", flag, step, text, (_dest(flag),), (one.key, ("script_name", "")))
        plain = not set(declared.keywords) & {"nargs", "action", "choices"}
        call, receiver = script.source(declared.call), script.source(declared.call.func)
        lines = declared.lines
        if alone and plain and "\n" not in call:
            words = f"{receiver}({json.dumps(flag)}, "
            if value is not None:
                if not _is_number(value):
                    text = script.replaced([(declared.call, words + "type=int)")])
                    yield Mistake("script: retype", f"{flag} int", step, text, (flag,), one.value_keys, lines)
                text = script.replaced([(declared.call, words + 'choices=["left", "right"])')])
                yield Mistake("script: choices", flag, step, text, (flag,), one.value_keys, lines)
            text = script.replaced([(declared.call, words + "nargs=2)")])
            # In a list, the next word may be a value, too.
            wrong = Mistake("script: nargs", flag, step, text, (flag,), (one.key,), lines)
            yield from () if one.entry.key == "words" else (wrong,)
            text = script.replaced([(declared.call, words + 'action="store_true")')])
            yield Mistake("script: action", flag, step, text, (flag,), one.value_keys, lines)
            if declared.statement:
                text = script.replaced(
                    [(declared.call, f'{call}; {receiver}("--extra-{chance.randrange(9)}x", required=True)')]
                )
                at = (("step", ""), ("arguments", ""))
                yield Mistake("script: new required", flag, step, text, ("--extra-", "require"), at, lines)
    uses = [node for node in script.arguments if node.attr not in ("parse_args",)]
    if uses:
        node = chance.choice(uses)
        other = misspelled(node.attr, chance)
        text = script.replaced([(node, f"{script.source(node.value)}.{other}")])
        yield Mistake("script: rename use", f"{node.attr} -> {other}", step, text, (other, node.attr), (), _line(node))


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _line(node: ast.expr | ast.stmt) -> range:
    return range(node.lineno, node.lineno + 1)


def pipeline_mistakes(step: Step, script: Script, chance: random.Random) -> Mistakes:
    """Yield mistakes in what pipeline.yaml passes."""
    for one in passed_of(step, script):
        entry, flag, declared, value = one.entry, one.entry.name, one.declared, one.value
        key = one.key[0]
        parser = range(min(script.parsers, default=1), declared.lines.stop)
        for kind, new in (("rename", misspelled(flag, chance)), ("dash", dashed(flag))):
            if new not in (flag, *(name for other in script.declared for name in other.names)):
                changed = _swap(step, entry, replace(entry, name=new))
                yield Mistake(
                    f"pipeline: {kind}", f"{flag} -> {new}", changed, None, (new, flag), ((key, new),), parser
                )
        required = declared.keywords.get("required")
        if isinstance(required, ast.Constant) and required.value is True and entry.key != "words":
            at = (("step", ""), (key, ""))
            yield Mistake("pipeline: drop", flag, _swap(step, entry), None, (flag,), at, declared.lines)
        if set(declared.keywords) & {"nargs", "action"}:
            continue
        kind = script.source(declared.keywords["type"]) if "type" in declared.keywords else ""
        wrong = "many" if kind in ("int", "float") else "0.5x"
        if (
            value is not None
            and entry.key == "arguments"
            and (kind in ("int", "float") or "choices" in declared.keywords)
        ):
            changed = _swap(step, entry, replace(entry, value=wrong))
            yield Mistake(
                "pipeline: retype", f"{flag} {wrong}", changed, None, (flag, wrong), (one.key,), declared.lines
            )
        if value is not None and entry.key == "arguments":
            listed = [
                word
                for other in step.entries
                for word in (
                    [Entry("words", other.name), Entry("words", str(other.value))]
                    if other.key == "arguments"
                    else [other]
                )
            ]
            place = next(place for place, word in enumerate(listed) if word.key == "words" and word.name == flag)
            more = replace(step, entries=(*listed[: place + 2], Entry("words", "surplus"), *listed[place + 2 :]))
            at = (("arguments", flag), ("arguments", "surplus"))
            yield Mistake("pipeline: nargs, one more", flag, more, None, ("surplus",), at)
            fewer = replace(step, entries=(*listed[: place + 1], *listed[place + 2 :]))
            yield Mistake("pipeline: nargs, none", flag, fewer, None, (flag,), (("arguments", flag),), declared.lines)


def dataset_mistakes(step: Step, script: Script, chance: random.Random) -> Mistakes:
    """Yield wrong names of datasets on either side, and datasets and folders that nothing reads."""
    names = {str(entry.value): entry for entry in step.entries if entry.key == "input_datasets"}
    for node in script.datasets:
        name = str(node.value)
        if name not in names:
            continue
        wrong = misspelled(name, chance)
        others = [other for other in script.datasets if other.value == name]
        text = script.replaced([(node, json.dumps(wrong))])
        at = (("step", ""), ("input_datasets", ""), ("input_datasets", names[name].name))
        yield Mistake("script: rename dataset", f"{name} -> {wrong}", step, text, (wrong, name), at, _line(node))
        changed = _swap(
            step,
            names[name],
            replace(names[name], name=wrong if names[name].name == name else names[name].name, value=wrong),
        )
        at = (
            ("step", ""),
            ("input_datasets", ""),
            ("input_datasets", changed.entries[step.entries.index(names[name])].name),
        )
        lines = range(min(other.lineno for other in others), max(other.lineno for other in others) + 1)
        yield Mistake("pipeline: rename dataset", f"{name} -> {wrong}", changed, None, (wrong, name), at, lines)
        dropped = _swap(step, names[name])
        at = (("step", ""), ("input_datasets", ""))
        yield Mistake("pipeline: drop dataset", name, dropped, None, (name,), at, lines)
    statements = [one for one in script.declared if one.statement and "\n" not in script.source(one.call)]
    if statements:
        last = statements[-1]
        call, receiver = script.source(last.call), script.source(last.call.func)
        flag = f"--spare-{chance.randrange(100)}"
        text = script.replaced([(last.call, f"{call}; {receiver}({json.dumps(flag)})")])
        for key, value in (("output_folders", None), ("input_datasets", "spare")):
            changed = replace(step, entries=(Entry(key, flag, value), *step.entries))
            yield Mistake(f"unused: {key}", flag, changed, text, (flag if value is None else "spare",), ((key, flag),))


def config_mistakes(step: Step, script: Script, chance: random.Random) -> Mistakes:
    """Yield wrong keys of --config, after moving the options with a known value from the parser to it."""
    moved = [
        one
        for one in passed_of(step, script)
        if one.entry.key == "arguments"
        and one.declared.statement
        and len(one.declared.flags) == 1
        and not set(one.declared.keywords) & {"dest", "nargs", "action", "choices"}
    ]
    reads = {one: _uses(script, one.entry.name) for one in moved}
    moved = [one for one in moved if reads[one]]
    places = [node for node in script.imports if "__future__" not in script.source(node)]
    if not moved or not places or any(entry.name == "--config" for entry in step.entries):
        return
    changes: list[tuple[ast.expr | ast.stmt, str]] = [(places[0], f"import json; {script.source(places[0])}")]
    for place, one in enumerate(moved):
        receiver = script.source(one.declared.call.func)
        new = "pass" if place else f'{receiver}("--config", type=json.loads)'
        changes.append((one.declared.call, new))
        for node in reads[one]:
            changes.append((node, f"{script.source(node.value)}.config[{json.dumps(one.entry.name.lstrip('-'))}]"))
    text = script.replaced(changes)
    keys = {one: one.entry.name.lstrip("-") for one in moved}
    entries = [replace(one.entry, key="step_config", name=keys[one]) for one in moved]
    rest = [entry for entry in step.entries if all(entry is not one.entry for one in moved)]
    ready = replace(step, entries=(*entries, *rest))
    for one, entry in zip(moved, entries, strict=True):
        key, wrong = keys[one], misspelled(keys[one], chance)
        if wrong in keys.values():
            continue
        nodes = reads[one]
        lines = range(nodes[0].lineno, nodes[-1].lineno + 1)
        at = (("step", ""), ("step_config", ""), ("step_config", key), ("step_config", wrong))
        changed = _swap(ready, entry, replace(entry, name=wrong))
        yield Mistake("config: rename key", f"{key} -> {wrong}", changed, text, (wrong, key), at, lines)
        if len(entries) > 1:
            yield Mistake("config: drop key", key, _swap(ready, entry), text, (key,), at, lines)
        read = f".config[{json.dumps(key)}]"
        if text.count(read) == 1:
            yield Mistake(
                "config: rename read",
                f"{key} -> {wrong}",
                ready,
                text.replace(read, f".config[{json.dumps(wrong)}]"),
                (wrong, key),
                at,
                lines,
            )
        more = replace(ready, entries=(Entry("step_config", "spare_key", 1), *ready.entries))
        yield Mistake("unused: step_config", key, more, text, ("spare_key",), (("step_config", "spare_key"),))


def _uses(script: Script, flag: str) -> list[ast.Attribute]:
    return sorted((node for node in script.arguments if node.attr == _dest(flag)), key=lambda node: node.lineno)


def import_mistakes(step: Step, script: Script, chance: random.Random) -> Mistakes:
    """Yield imports that the environment does not declare."""
    checked = replace(step, packages=("pandas",))
    present = {word for node in script.imports for word in script.source(node).replace(".", " ").split()}
    places = [node for node in script.imports if "__future__" not in script.source(node)]
    absent = sorted(set(PACKAGES) - present)
    if not places:
        return
    node, name = chance.choice(places), chance.choice(absent)
    form = chance.choice(
        [f"import {name}", f"import {name} as other", f"from {name} import thing", f"import {name}.part"]
    )
    text = script.replaced([(node, f"{form}; {script.source(node)}")])
    yield Mistake("import: new", form, checked, text, (name, PACKAGES[name]), (), _line(node))
    # Steps with datasets get pandas by themselves.
    for node in places if all(entry.key != "input_datasets" for entry in step.entries) else ():
        if script.source(node) in ("import pandas as pd", "import pandas"):
            without = replace(step, packages=())
            yield Mistake("import: package dropped", "pandas", without, None, ("pandas",), (), _line(node))
            break


MAKERS: Sequence[Callable[[Step, Script, random.Random], Mistakes]] = (
    script_mistakes,
    pipeline_mistakes,
    dataset_mistakes,
    config_mistakes,
    import_mistakes,
)


def mistakes(step: Step, text: str, chance: random.Random) -> list[Mistake]:
    """Return all mistakes of a script after which it is Python still; none of one that cannot run."""
    try:
        script = Script.read(text)
    except SyntaxError:
        return []
    if script.declared and not re.search(r"^\s*(from|import)\b.*\bargparse\b", text, re.MULTILINE):
        return []
    made = [mistake for maker in MAKERS for mistake in maker(step, script, chance)]
    return [mistake for mistake in made if _reads(mistake.text)]


def evenly(made: Sequence[tuple[str, Mistake]], count: int, chance: random.Random) -> list[tuple[str, Mistake]]:
    """Choose mistakes, as many of each kind and of each name as there are."""
    kinds: dict[str, list[tuple[str, Mistake]]] = defaultdict(list)
    for name, mistake in made:
        kinds[mistake.kind].append((name, mistake))
    used: Counter[str] = Counter()
    found: list[tuple[str, Mistake]] = []
    while len(found) < count and any(kinds.values()):
        for kind in sorted(kinds):
            if kinds[kind] and len(found) < count:
                least = min(used[name] for name, _ in kinds[kind])
                place = chance.choice([at for at, (name, _) in enumerate(kinds[kind]) if used[name] == least])
                found.append(kinds[kind].pop(place))
                used[found[-1][0]] += 1
    return found


def _reads(text: str | None) -> bool:
    try:
        ast.parse(text or "")
    except SyntaxError:
        return False
    return True


def validate(folder: Path) -> list[Finding]:
    """Return what `invoke validate --strict` finds in the folder."""
    before, out = Path.cwd(), io.StringIO()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            Program(namespace=namespace).run(["invoke", "validate", "--strict", "--format", "json"], exit=True)
    finally:
        os.chdir(before)
    problems = json.loads(out.getvalue())["problems"]
    return [Finding(one["file"], one["line"], one["level"], one["message"]) for one in problems]


def judge(mistake: Mistake, script: str, found: Sequence[Finding], places: Mapping[tuple[str, str], int]) -> str:
    """Return "" if the mistake is found at the right lines, else what is missing."""
    at = [places[key] for key in mistake.at if key in places]
    spoken = [
        one
        for one in found
        if all(word in one.message or word in one.message.replace("-", "_") for word in mistake.words)
    ]
    if not spoken:
        return "not found"
    if at and not any(one.file == "pipeline.yaml" and one.line in at for one in spoken):
        return "wrong line of pipeline.yaml"
    if mistake.there is not None and not any(
        (one.file == script and one.line == line) or _names(one.message, f"{script}:{line}")
        for one in spoken
        for line in mistake.there
    ):
        return "wrong line of the script"
    return ""


# What leaves words that the parser does not know.
_LEFT_OVER = ("pipeline: nargs, one more", "script: action", "script: drop")


def out_of_reach(mistake: Mistake, source: str) -> str:
    """Return why `validate` says nothing about a mistake in a script; empty if it has to."""
    kind = mistake.kind
    if "parse_known_args" in source and kind in _LEFT_OVER:
        return "parse_known_args ignores words that it does not know"
    if "lambda" in source and kind == "config: drop key":
        return "a lambda that reads the key may never be called"
    if "in run.input_datasets" in source and kind.endswith(" dataset") and kind.startswith("pipeline"):
        return "the script looks whether the run has the dataset"
    if kind == "unused: input_datasets" and re.search(r"\w\((?:[^()]*, *)?run[,)]", source):
        return "the run is passed to code that is not followed"
    if not re.search(r"^[^#\n]*get_context", source, re.MULTILINE) and kind == "unused: input_datasets":
        return "a library that the script imports may read the datasets of the run"
    return ""


def _names(message: str, place: str) -> bool:
    """Return whether a message names the place, and not one whose line begins with the same digits."""
    return any(not after[:1].isdigit() for after in message.split(place)[1:])
