"""Compare what a script reads with what its step passes: arguments, keys of step_config, datasets."""

from __future__ import annotations

from collections.abc import Iterator

from azml_tasks.checks.contract.follow import Follower
from azml_tasks.checks.contract.modules import Sources
from azml_tasks.checks.contract.readings import Reading
from azml_tasks.checks.contract.values import Namespace, Settings
from azml_tasks.checks.contract.words import Disagreement, Path, Word, added, left_out
from azml_tasks.plan import ConfigValue, DatasetInput, FolderInput, Output, StepPlan
from azml_tasks.plan.plan import TableInput
from azml_tasks.text import closest, did_you_mean

_DATASETS = (DatasetInput, TableInput)


class Uses:
    """What the script of one step reads, after it was followed.

    Only what would stop the script is certain. What it does not read is noted if the script was followed to its end and
    none of its files contains the name.
    """

    def __init__(self, step: StepPlan, script: str, follower: Follower, sources: Sources) -> None:
        self.step = step
        self.script = script
        self.readings = follower.readings
        self.is_complete = follower.is_complete
        self.sources = sources
        self.path: Path = ("steps", step.key)
        # The datasets that are suggested for one that the step does not have.
        self.suggested: set[str] = set()

    def disagreements(self) -> Iterator[Disagreement]:
        """Yield the mismatches, of a name that is read several times the one that stops the script, or the first."""
        chosen: dict[tuple[str, int, str], Reading] = {}
        for reading in self.readings.found:
            name = (reading.kind, id(reading.owner), reading.name)
            if name not in chosen or (reading.sure and not chosen[name].sure):
                chosen[name] = reading
        for reading in chosen.values():
            if reading.kind == "argument":
                yield from self._argument(reading)
            elif reading.kind == "setting":
                yield from self._setting(reading)
            elif reading.kind == "dataset":
                yield from self._dataset(reading)
            elif reading.sure:
                yield self._nothing(reading)
        if self.is_complete:
            yield from self._unread()

    def _argument(self, reading: Reading) -> Iterator[Disagreement]:
        """Yield the problem of an attribute that no argument has."""
        namespace = reading.owner
        assert isinstance(namespace, Namespace)
        parser = namespace.parser
        if parser.open or parser.lost or namespace.escaped or reading.name in namespace.values:
            return
        meant = did_you_mean(reading.name, namespace.values)
        if not reading.sure and not meant:
            return
        yield Disagreement(
            (*self.path, "script_name"),
            f"step '{self.step.key}': {reading.file}:{reading.line} reads the argument '{reading.name}', which its "
            f"parser does not declare ({parser.file}:{parser.line}){meant}",
            reading.sure,
        )

    def _setting(self, reading: Reading) -> Iterator[Disagreement]:
        """Yield the problem of a key that the file does not have."""
        settings = reading.owner
        assert isinstance(settings, Settings)
        if reading.name in settings.content:
            return
        unread = [key for key in settings.content if key not in settings.read]
        if not reading.sure:
            unread = [key for key in unread if not self.sources.hold(key)]
        meant = closest(reading.name, unread)
        if not meant and not reading.sure:
            return
        path, noun = self._place(settings)
        where = f"{reading.file}:{reading.line}"
        if meant:
            message = (
                f"step '{self.step.key}' sets '{meant}' in {noun}, but {self.script} reads '{reading.name}' ({where})"
            )
            yield Disagreement((*path, meant), f"{message}; did you mean '{reading.name}'?", reading.sure)
        elif path:
            message = (
                f"step '{self.step.key}' does not set '{reading.name}' in {noun}, which {self.script} reads ({where})"
            )
            yield Disagreement(path, message)
        else:
            message = (
                f"step '{self.step.key}' passes no {noun}, but {self.script} reads '{reading.name}' of it ({where})"
            )
            yield Disagreement(self.path, message)

    def _place(self, settings: Settings) -> tuple[Path, str]:
        """Return where settings are in pipeline.yaml, and what they are called; no place if a step passes none."""
        inner = "".join(f".{key}" for key in settings.keys)
        option = self._option(settings.dest)
        if option is None:
            name = "step_config" if settings.dest == "config" else f"--{settings.dest.replace('_', '-')}"
            return (), f"{name}{inner}"
        if isinstance(option.token, ConfigValue):
            return (*option.path, *settings.keys), f"step_config{inner}"
        return option.path, f"{option.partition('=')[0]}{inner}"

    def _option(self, dest: str) -> Word | None:
        found = (namespace.options[dest] for namespace in self.readings.namespaces if dest in namespace.options)
        return next(found, None)

    def _dataset(self, reading: Reading) -> Iterator[Disagreement]:
        """Yield the problem of a dataset that the step does not have."""
        names = [item.name for item in self.step.inputs]
        if reading.name in names:
            return
        read = {other.name for other in self.readings.found if other.kind == "dataset"}
        datasets = [item.name for item in self.step.inputs if not isinstance(item, FolderInput)]
        meant = closest(reading.name, [name for name in datasets if name not in read])
        if not reading.sure and not meant:
            return
        self.suggested.add(meant or "")
        where = f"run.input_datasets['{reading.name}'], {reading.file}:{reading.line}"
        suggestion = f"; did you mean '{meant}'?" if meant else ""
        path = (*self.path, "input_datasets") if datasets else self.path
        message = (
            f"step '{self.step.key}' has no dataset '{reading.name}', which {self.script} reads ({where}){suggestion}"
        )
        yield Disagreement(path, message, reading.sure)

    def _nothing(self, reading: Reading) -> Disagreement:
        """Return the note on an argument that the script needs, but does not require."""
        argument = next(
            argument
            for namespace in self.readings.namespaces
            for argument in namespace.parser.arguments
            if argument.dest == reading.name
        )
        message = (
            f"step '{self.step.key}' does not pass {argument.label}, but {self.script} uses it "
            f"({reading.file}:{reading.line}; its parser: {argument.file}:{argument.line})"
            f"{added(self.step, argument.label)}"
        )
        return Disagreement(self.path, message, certain=False)

    # What is not read

    def _unread(self) -> Iterator[Disagreement]:
        for settings in self.readings.settings.values():
            yield from self._unread_keys(settings)
        if len(self.readings.namespaces) == 1:
            yield from self._unused(self.readings.namespaces[0])
        if not self.readings.reads_all_datasets and any(isinstance(one, _DATASETS) for one in self.step.inputs):
            yield from self._unread_datasets()

    def _unread_keys(self, settings: Settings) -> Iterator[Disagreement]:
        if settings.reads_all or settings.escaped or not settings.read:
            return
        path, noun = self._place(settings)
        missing = [
            one.name for one in self.readings.found if one.owner is settings and one.name not in settings.content
        ]
        for key in settings.content if path else ():
            if key not in settings.read and not self.sources.hold(key) and not closest(key, missing):
                message = f"step '{self.step.key}' sets '{key}' in {noun}, which {self.script} never reads"
                yield Disagreement((*path, key), message, certain=False)
        for inner in settings.inner.values():
            yield from self._unread_keys(inner)

    def _unused(self, namespace: Namespace) -> Iterator[Disagreement]:
        """Yield the folders, and the step_config, that the script declares and never uses."""
        for argument in namespace.parser.arguments:
            option = namespace.options.get(argument.dest)
            if option is None or self._is_needed(namespace, argument.dest):
                continue
            token = option.token
            if not isinstance(token, (FolderInput, Output, ConfigValue)):
                continue
            effect = ", so the folder stays empty" if isinstance(token, Output) else ""
            remedy = "" if isinstance(token, ConfigValue) else left_out(self.step, option)
            message = (
                f"step '{self.step.key}' passes {option}, which {self.script} declares and never uses "
                f"({argument.file}:{argument.line}){effect}"
            )
            yield Disagreement(option.path, f"{message}; {remedy}" if remedy else message, certain=False)

    def _is_needed(self, namespace: Namespace, dest: str) -> bool:
        return namespace.escaped or dest in namespace.used or self.sources.hold(dest)

    def _unread_datasets(self) -> Iterator[Disagreement]:
        named = {reading.name for reading in self.readings.found if reading.kind == "dataset"} | self.suggested
        unread = [item for item in self.step.inputs if isinstance(item, _DATASETS) and item.name not in named]
        texts = self.sources.texts if unread else None
        if texts is None or texts.all_datasets:
            return
        has_run = "get_context" in texts.names
        # A library of one's own may read the datasets of a run that the script itself does not name.
        if not has_run and not self.sources.import_only_public_packages:
            return
        options: dict[str | int, tuple[Namespace, str]] = {
            option.path[-1]: (namespace, dest)
            for namespace in self.readings.namespaces
            for dest, option in namespace.options.items()
        }
        for item in unread:
            name = item.dataset if isinstance(item, DatasetInput) else item.name
            if texts.mention(item.name) or texts.mention(name):
                continue
            argument = item.argument
            if argument is None and not has_run:
                continue
            if argument is not None and (argument not in options or self._is_needed(*options[argument])):
                continue
            message = f"step '{self.step.key}' has the dataset '{name}', which {self.script} never reads"
            yield Disagreement((*self.path, "input_datasets", argument or item.name), message, certain=False)
