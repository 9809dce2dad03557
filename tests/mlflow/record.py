"""Record the requests that MLflow sends for `calls.py`: `python -m tests.mlflow.record FOLDER_OF_ENVIRONMENTS`.

Writes tests/local/tracking/requests-2.json and requests-3.json, which the tests of the server send without MLflow.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from azml_tasks.local.tracking import server as tracking_server
from azml_tasks.local.tracking.routes import answer
from azml_tasks.local.tracking.tracking import with_tracking
from tests.imports import ROOT
from tests.local.tracking.steps import step_in


def record(python: str) -> list[list[Any]]:
    """Return each request: its method, path and values."""
    requests: list[list[Any]] = []

    def recorded(step, method, path, values, client):
        requests.append([method, path, values])
        return answer(step, method, path, values, client)

    tracking_server.answer = recorded
    server = tracking_server.TrackingServer()
    with tempfile.TemporaryDirectory() as folder:
        step = step_in(Path(folder))
        environment = with_tracking(dict(os.environ), server.address_for(step), step.run.run_id, {})
        environment.pop("PYTHONPATH", None)
        subprocess.run([python, Path(__file__).with_name("calls.py")], cwd=folder, env=environment, check=True)
        left = {path.name for path in Path(folder).iterdir()} - {".azml"}
        assert not left, left
    server.close()
    text = json.dumps(requests)
    models = list(dict.fromkeys(re.findall(r"m-[0-9a-f]{32}", text)))
    for number, model in enumerate(models):
        text = text.replace(model, f"MODEL{number}")
    return json.loads(text)


if __name__ == "__main__":
    for variant in ("skinny-2", "skinny-3"):
        python = Path(sys.argv[1]).absolute() / variant / "bin" / "python"
        file = ROOT / "tests" / "local" / "tracking" / f"requests-{variant[-1]}.json"
        lines = (json.dumps(request, ensure_ascii=False) for request in record(str(python)))
        file.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
        print(file)
