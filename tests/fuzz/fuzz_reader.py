"""Search for input that breaks the reader, led by the branches that it takes.

    python tests/fuzz/fuzz_reader.py -max_total_time=600 [CORPUS]

The options are libFuzzer's; without a corpus it starts from a few whole files. It needs atheris (`pip install
atheris`). What it finds is left in the current folder as `crash-*`, `timeout-*` or `oom-*`.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["azml_tasks"]):
    from azml_tasks.errors import ProjectError
    from azml_tasks.reading import load_project
    from azml_tasks.reading.edit import add_step
    from azml_tasks.snapshot import SnapshotBuilder  # noqa: F401  (loaded before the search starts)

from tests.fuzz.strategies import KEYS, PIECES, WORDS

VARIABLES = {"A": "value", "B": "3", "EMPTY": "", "SECRET_KEY": "hunter2"}
SEEDS = (
    "steps: {a: {script_name: a.py}}\n",
    "steps:\n  a:\n    script_name: a.py\n    output_folders: [--x, --y]\n  b:\n    script_name: b.py\n"
    "    input_folders: {--in: a/--x}\n    input_datasets: {t: {step: a, output: --y}}\n    run_after: [a]\n",
    "backend: local\nsteps: {a: {script_name: a.py, input_datasets: {--d: d}}}\ndatasets: {d: {local_path: d.csv}}\n",
    "steps: &s\n  a: &a {script_name: a.py}\n  b: {<<: *a, step_config: {x: [1, 2e-5, .nan, null, ~]}}\n"
    "targets: {dev: {steps: {a: {allow_reuse: false}}}, prod: }\n",
    'ws_name: ${A}\nsubscription_id: "${UNSET:-00000000-0000-0000-0000-000000000000}"\n'
    'steps: {a: {script_name: "${B}"}}\nschedule: {frequency: Week}\n'
    "datastores: {s: {container_name: raw, account_name: acc, account_key: '${SECRET_KEY}'}}\nauth: cli\n",
    "pipeline_parameters: {p: 1}\nsteps: {a: {script_name: a.py, arguments: ['${{ parameters.p }}']}}\n",
    "environments: {e: {pip_packages: [x], python_version: '3.10'}}\ncomputes: {cc: {vm_size: S, max_nodes: 2}}\n"
    "publish: {name: n}\nsteps: {a: {script_name: a.py, env_name: e, compute_name: cc}}\n",
)

_folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
_file = _folder / "pipeline.yaml"


def one_input(raw: bytes) -> None:
    _file.write_bytes(raw)
    for target in (None, "dev"):
        try:
            project = load_project(_file, target, VARIABLES)
        except ProjectError as error:
            shown = str(error)
        else:
            assert len(project.plan.steps) == len(project.pipeline.steps)
            shown = repr(project) + "".join(map(str, project.notes))
        assert "hunter2" not in shown
    with contextlib.suppress(ProjectError, UnicodeDecodeError):
        add_step(raw.decode("utf-8"), "new_step", ["script_name: new.py"])


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def main() -> None:
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    for number, seed in enumerate(SEEDS):
        (corpus / f"seed{number}").write_text(seed, encoding="utf-8")
    dictionary = corpus.with_suffix(".dict")
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in dict.fromkeys((*KEYS, *WORDS, *PIECES))))
    options = ["-max_len=4000", "-timeout=10", "-rss_limit_mb=1500", f"-dict={dictionary}"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(corpus)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
