"""The command line of a step's script, each word with its place in pipeline.yaml, and what messages say of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from azml_tasks.model import StepTable
from azml_tasks.model.written import argument_text
from azml_tasks.plan import ConfigValue, DatasetInput, FolderInput, OptionValue, Output, ParameterValue, StepPlan
from azml_tasks.plan.plan import TableInput, Token
from azml_tasks.secrets import holds_secret, redact
from azml_tasks.text import closest

Path = tuple[str | int, ...]
_PATH = "/folder"  # no number, and among no choices
# An option that takes a folder, by its name.
_FOLDER = r"(?i)folder|dir|path"
_ID = "00000000-0000-0000-0000-000000000000"


class Disagreement(NamedTuple):
    """A mismatch and its place in pipeline.yaml; one that is not `certain` does not stop a run."""

    path: Path
    message: str
    certain: bool = True


class Word(str):
    """A word of a command line; `shown` is its text in messages.

    One that is not `known` stands for a value that only a run has, or that a run may replace.
    """

    place: int
    path: Path
    shown: str
    token: Token | None
    is_parameter: bool
    known: bool

    @classmethod
    def of(cls, text: str, path: Path, shown: str = "", token: Token | None = None, known: bool = True) -> Word:
        """Return a word; its place is given by `passed_words`."""
        word = cls(text)
        word.path = path
        word.shown = shown or f"'{redact(text)}'"
        word.token = token
        word.is_parameter = isinstance(token, ParameterValue)
        word.known = known and not word.is_parameter
        return word


def passed_words(step: StepPlan, parameters: Mapping[str, Any]) -> list[Word]:
    """Return the words of the step's command line; values that only a run has are replaced by a description."""
    words = list(_words(step, parameters))
    for place, word in enumerate(words):
        word.place = place
        if place and hides(words[place - 1], word):
            word.shown = "a value"
    return words


def hides(name: str, text: str) -> bool:
    """Return whether messages hide the text, because it looks like a secret under that name."""
    return name.startswith("-") and holds_secret(name, text)


def _words(step: StepPlan, parameters: Mapping[str, Any]) -> Iterator[Word]:
    top: Path = ("steps", step.key)
    argv = list(step.argv)
    if step.step.step_config is not None:
        config = argv[1]
        assert isinstance(config, ConfigValue)
        yield Word.of("--config", (*top, "step_config"), token=config)
        yield Word.of(config.text, (*top, "step_config"), "step_config")
        del argv[:2]
    for item in (*step.inputs, *step.outputs):
        if item.argument is None:
            continue
        path = (*top, _key_of(item), item.argument)
        yield Word.of(item.argument, path, token=item)
        is_path = isinstance(item, (FolderInput, Output)) or (isinstance(item, DatasetInput) and item.mode != "direct")
        yield Word.of(_PATH if is_path else _ID, path, "a path" if is_path else "an id", known=False)
        del argv[:2]
    yield from _own(step, argv, parameters)


def _key_of(item: FolderInput | TableInput | DatasetInput | Output) -> str:
    if isinstance(item, FolderInput):
        return "input_folders"
    return "output_folders" if isinstance(item, Output) else "input_datasets"


def _own(step: StepPlan, argv: list[Token], parameters: Mapping[str, Any]) -> Iterator[Word]:
    written = step.step.arguments
    names: list[str | int] = list(range(len(written)))
    if isinstance(written, Mapping):
        names = [name for name in written for _ in range(2)]
    place = 0
    for token in argv:
        path = ("steps", step.key, "arguments", names[place])
        if isinstance(token, OptionValue):
            yield Word.of(token.joined, path, token=token)
            place += 2
            continue
        text = token if isinstance(token, str) else ""
        if isinstance(token, ParameterValue):
            text = argument_text(parameters.get(token.name, token.default))
        yield Word.of(text, path, token=token)
        place += 1


def remedy_of(step: StepPlan, word: Word, meant: str, unused: Sequence[str]) -> str:
    """Return what to do about an option that a script does not accept; `meant` is the one of `unused` that is close."""
    if not meant:
        return left_out(step, word, unused)
    entry = renamed(step, word, meant)
    return f"did you mean {meant}{f' ({entry})' if entry else ''}?"


def renamed(step: StepPlan, word: Word, name: str) -> str:
    """Return the entry of pipeline.yaml that passes the same under another name; empty if obvious."""
    token = word.token
    if isinstance(token, FolderInput):
        source = (step.step.input_folders or {}).get(token.argument, token.output.step)
        return f"input_folders: {{{name}: {source}}}"
    if isinstance(token, Output):
        return f"output_folders: [{name}]"
    if isinstance(token, DatasetInput):
        return f"input_datasets: {{{name}: {token.dataset}}}"
    if isinstance(token, TableInput) and token.argument:
        table = step.step.input_datasets[token.argument]
        assert isinstance(table, StepTable)
        return f"input_datasets: {{{name}: {{step: {table.step}, ...}}}}"
    return ""


def left_out(step: StepPlan, word: Word, others: Sequence[str] = ()) -> str:
    """Return how to stop passing an option to the script, or to pass a folder as one of `others`."""
    if isinstance(word.token, ConfigValue):
        return 'add parser.add_argument("--config", type=json.loads), or remove step_config'
    if isinstance(word.token, FolderInput) and step.step.input_folders is None:
        none = "`input_folders: {}` passes none"
    elif isinstance(word.token, Output) and step.step.output_folders is None:
        none = "`output_folders: []` passes none"
    else:
        return ""
    named = [name for name in others if re.search(_FOLDER, name)]
    return f"`{renamed(step, word, named[0])}` passes it as {named[0]}, {none}" if len(named) == 1 else none


def added(step: StepPlan, name: str) -> str:
    """Return how to pass an argument that the script needs, with its semicolon; empty if there are several ways."""
    return "; add step_config" if name == "--config" and step.step.step_config is None else ""


def is_option(word: str) -> bool:
    """Return whether argparse takes a word for an option."""
    return len(word) > 1 and word.startswith("-") and not _is_number(word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def option_name(word: str) -> str:
    """Return the name of an option, without a value that is joined to it."""
    return word.partition("=")[0]


def closest_name(name: str, known: Sequence[str]) -> str:
    """Return the known option that is closest to a name, whatever its dashes and underscores; empty without one."""
    plain = {other.strip("-").replace("_", "-").lower(): other for other in known}
    bare = name.strip("-").replace("_", "-").lower()
    return plain.get(bare) or plain.get(closest(bare, plain) or "", "")
