"""Runs made by hand, with everything that a page shows, however hostile."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from azml_tasks.runs.details import Log, Reading, Registered, RunDetails, RunFile, StepDetails
from azml_tasks.runs.origin import Code, Origin, Packages, Provenance, StepOrigin
from azml_tasks.runs.records import RunRecord, StepRecord

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`{{7*7}}"
SECRET = "hunter2-is-a-secret"
KEY = "AccountKey=" + "k3Y" * 28 + "aa==;"


@dataclass(frozen=True)
class Step(StepRecord):
    """A step whose metrics are given."""

    logged: tuple[dict[str, Any], ...] = ()

    def metrics(self) -> list[dict[str, Any]]:
        return [dict(metric) for metric in self.logged]


@dataclass(frozen=True)
class Run(RunRecord[Step]):
    """A run."""

    where = "on this machine"


def png() -> bytes:
    """Return an image of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0abc")) + chunk(b"IEND", b"")


def file(name: str, data: bytes, place: str = "") -> RunFile:
    return RunFile(name, len(data), place, lambda most: data if len(data) <= most else None)


def scalar(name: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "scalar", "value": value, **more}


MATRIX = json.dumps({"data": {"class_labels": ["no", HOSTILE], "matrix": [[5, 1], [0, 7]]}}).encode()
TRAIN = (
    *(scalar("loss", value, type="double") for value in (3.0, 2.0, "NaN", "Infinity", 1.0, 0.5)),
    {"name": "long", "kind": "list", "value": [(n * 7919 % 1000) / 1000 for n in range(10_000)]},
    {"name": HOSTILE, "kind": "list", "value": [1, 2, 3]},
    {"name": "huge", "kind": "list", "value": [-1.7e308, 1.7e308, 5e-324, 10**400]},
    {"name": "same", "kind": "list", "value": [2, 2, 2]},
    {"name": "none", "kind": "list", "value": ["NaN", "NaN", "NaN"], "type": "double"},
    scalar("accuracy", 0.87654321),
    scalar("api_key", "abc"),
    scalar("text", HOSTILE),
    {"name": "table é", "kind": "table", "value": {"x": list(range(100)), HOSTILE: [HOSTILE] * 100}},
    {"name": "plot", "kind": "image", "value": "outputs/plot.png"},
    {"name": "gone", "kind": "image", "value": "outputs/gone.png"},
    {"name": "matrix", "kind": "confusion_matrix", "value": "matrix"},
    {"name": "odd", "kind": "residuals", "value": "odd"},
)
LOG = "".join(f"line {n}\n" for n in range(500)) + (
    f"\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b[2K10%\r50%\rprogress 100%\nb\b\bold\x00\u202e\n{HOSTILE}\n"
    f"password is {SECRET} and {KEY}\n"
)


def steps(count: int = 3, failed: bool = True) -> tuple[StepDetails, ...]:
    """Return so many steps in a line; the second has everything, and the last one failed if so."""
    found = []
    for place in range(count):
        key = f"s{place}"
        before = (f"s{place - 1}",) if place else ()
        bad = failed and place == count - 1
        logged = TRAIN if place == 1 else (scalar("rows", place),)
        record = Step(
            key,
            "failed" if bad else "completed" if place else "reused",
            reason="" if bad else f"its script changed {HOSTILE}" if place == 1 else "no earlier result",
            message="exit status 1" if bad else "",
            started=1000.0 + place if place else None,
            finished=1000.9 + place if place else None,
            logged=logged,
        )
        found.append(
            StepDetails(
                record,
                StepOrigin(key, before, {"--input-folder": f"s{place - 1} --output-folder"} if place else {}),
                arguments=("train.py", "--config", '{"lr": 1}', "--password", "hush"),
                metrics=logged,
                tags={HOSTILE: HOSTILE, "family": None},
                files=(
                    file("outputs/plot.png", png(), "/tmp/project/.azml/a <b>/plot.png"),
                    file("matrix", MATRIX),
                    file("odd", b"[1, 2"),
                    file("javascript:alert(1)", b"x", "javascript://alert(1)"),
                ),
                models=(Registered(f"churn {HOSTILE} version 3"),),
                datasets=(Registered("scores version 1"),),
                log=Log(LOG, 504),
                error=f"KeyError: 'age'\n{HOSTILE} {SECRET}" if bad else "",
                reading=Reading({"customers": "a" * 64}, {"train.py": f"{place:016}"}, {"data/a.csv": "b" * 32}),
            )
        )
    return tuple(found)


def run(identifier: str = "20261129-043919-781e", count: int = 3, failed: bool = True, lr: float = 0.5) -> RunDetails:
    """Return a run with everything."""
    found = steps(count, failed)
    record = Run(
        identifier,
        "churn",
        "failed" if failed else "completed",
        1000.0,
        1010.0,
        tuple(step.record for step in found),
        {"alpha": 0.5, "s1_config": '{"lr": 0.5}'},
        "https://ml.azure.com/runs/abc?wsid=/x&tid=y",
        Origin("dev", ("invoke", "run", "--set", f"s1.note={HOSTILE}"), (f"s1.lr={lr}",)),
        {"s1": {"lr": lr, "note": HOSTILE, "api_key": "***"}},
    )
    packages = {"": Packages("", "3.11.7", {"pandas": "2.2.3", HOSTILE: "1"})}
    origins = {step.key: step.origin for step in found}
    code = Code("1a2b3c4d5e6f7a8b", "main", "deadbeef", (f"{HOSTILE}.py",), 1)
    source = Provenance("0.5.0", HOSTILE, "laptop", "Linux", code, packages, origins)
    return RunDetails(record, source, found, [scalar("best", 0.9)], {"deploy": HOSTILE}, (file("run.txt", b"x"),))
