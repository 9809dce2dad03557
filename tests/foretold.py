"""Generated projects that change at random, to compare what `plan` foretells with what happens."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("one", "two", "three", "four", "five")
_SCRIPT = """\
# edition {edition}
import argparse, json, os
{module}
parser = argparse.ArgumentParser()
parser.add_argument("--config", type=json.loads)
parser.add_argument("--out")
parser.add_argument("--alpha")
{arguments}
args = parser.parse_args()
parts = [{content}]
for name in {before!r}:
    with open(os.path.join(getattr(args, "from_" + name), "value")) as file:
        parts.append(file.read())
{reading}
with open(os.path.join(args.out, "value"), "w") as file:
    file.write(json.dumps(parts))
"""


@dataclass
class GeneratedStep:
    """A step; its script writes the same whatever its settings are if it is `constant`."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    value: int = 0
    edition: int = 0
    allow_reuse: bool = True
    constant: bool = False
    imports: bool = False
    reads_data: bool = False
    reads_variable: bool = False
    has_alpha: bool = False


@dataclass
class Generated:
    """A project in a folder; `heading` is the part of pipeline.yaml above the steps, whose text may have `PACKAGES`."""

    folder: Path
    chance: random.Random
    heading: str
    steps: dict[str, GeneratedStep] = field(default_factory=dict)
    module: int = 0
    alpha: int = 0
    packages: str = "pandas"
    variable: int = 0
    data: int = 0

    def __post_init__(self) -> None:
        for _ in range(self.chance.randint(2, 4)):
            self.add_a_step()
        self.write()

    def add_a_step(self) -> None:
        chance = self.chance
        name = NAMES[len(self.steps)]
        earlier = list(self.steps)
        before = tuple(one for one in earlier if chance.random() < 0.6)
        after = tuple(one for one in earlier if one not in before and chance.random() < 0.2)
        flags = {key: chance.random() < 0.4 for key in ("constant", "imports", "reads_data", "reads_variable")}
        self.steps[name] = GeneratedStep(before, after, has_alpha=chance.random() < 0.4, **flags)

    def change(self) -> str:
        """Change something, and return what."""
        name = self.chance.choice(list(self.steps))
        step = self.steps[name]
        changes = {
            f"the value of {name}": lambda: setattr(step, "value", self.chance.randint(0, 2)),
            f"the script of {name}": lambda: setattr(step, "edition", self.chance.randint(0, 2)),
            f"the reuse of {name}": lambda: setattr(step, "allow_reuse", not step.allow_reuse),
            f"the constancy of {name}": lambda: setattr(step, "constant", not step.constant),
            f"the alpha of {name}": lambda: setattr(step, "has_alpha", not step.has_alpha),
            "the module": lambda: setattr(self, "module", self.chance.randint(0, 2)),
            "alpha": lambda: setattr(self, "alpha", self.chance.randint(0, 2)),
            "the packages": lambda: setattr(self, "packages", self.chance.choice(["pandas", "pandas, numpy"])),
            "the variable": lambda: setattr(self, "variable", self.chance.randint(0, 2)),
            "the data": lambda: setattr(self, "data", self.chance.randint(0, 2)),
            "nothing": lambda: None,
        }
        if len(self.steps) < len(NAMES):
            changes["a step more"] = self.add_a_step
        what = self.chance.choice(list(changes))
        changes[what]()
        self.write()
        return what

    def write(self) -> None:
        """Write the files; those that are as wanted are left alone."""
        for path, text in self._files().items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists() or file.read_text() != text:
                file.write_text(text)

    def _files(self) -> dict[str, str]:
        files = {"steps/common.py": f"X = {self.module}\n", "data/customers.csv": f"id,age\n{self.data},1\n"}
        for name, step in self.steps.items():
            files[f"steps/{name}.py"] = _SCRIPT.format(
                edition=step.edition,
                module="import common" if step.imports else "",
                arguments="\n".join(f'parser.add_argument("--from-{one}")' for one in step.before),
                content="" if step.constant else "args.config, args.alpha",
                before=step.before,
                reading="parts.append(os.environ.get('FORETOLD'))" if step.reads_variable else "",
            )
        files["pipeline.yaml"] = self._yaml()
        return files

    def _yaml(self) -> str:
        lines = [
            self.heading.replace("PACKAGES", self.packages),
            f"pipeline_parameters: {{alpha: {self.alpha}}}",
            "steps:",
        ]
        for name, step in self.steps.items():
            values: dict[str, object] = {
                "script_name": f"{name}.py",
                "script_directory": "steps",
                "step_config": {"v": step.value},
                "input_folders": {f"--from-{one}": one for one in step.before},
                "output_folders": ["--out"],
                "run_after": list(step.after),
                "allow_reuse": step.allow_reuse,
            }
            if step.reads_data:
                values["input_datasets"] = {"customers": "customers"}
            if step.has_alpha:
                values["arguments"] = {"--alpha": "${{ parameters.alpha }}"}
            lines.append(f"  {name}: {json.dumps(values)}")
        return "\n".join(lines) + "\n"

    def always(self) -> set[str]:
        """Return the steps that always run, and those that depend on them."""
        found: set[str] = set()
        for name, step in self.steps.items():
            if not step.allow_reuse or found & {*step.before, *step.after}:
                found.add(name)
        return found
