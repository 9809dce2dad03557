"""What is said when the SDK is missing, and how quiet it is when it is there."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
import textwrap
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from azml_tasks.azure.v1.client.sdk import quiet, require_sdk
from azml_tasks.errors import NotInstalledError
from tests.azure.conftest import HAS_SDK

PYTHON = ".".join(map(str, sys.version_info[:3]))
HAS_CORE = HAS_SDK and importlib.util.find_spec("azureml.core") is not None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the SDK can be installed on this Python")
def test_on_a_python_without_the_sdk_the_sentence_reports_which_python_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotInstalledError) as error:
        require_sdk()
    assert str(error.value) == (
        f"Azure ML's SDK v1 supports Python 3.10 and 3.11, but this is Python {PYTHON}: create an environment with "
        'Python 3.11 and run pip install "azml-tasks[azure]" in it'
    )


@pytest.mark.skipif(sys.version_info >= (3, 12) or HAS_CORE, reason="the SDK is here, or cannot be")
def test_without_the_sdk_the_sentence_explains_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotInstalledError) as error:
        require_sdk()
    assert str(error.value) == ('Azure ML\'s SDK v1 is not installed: run pip install "azml-tasks[azure]"')


@pytest.mark.parametrize("task", ["runs.list", "register", "publish"])
def test_a_task_needs_no_package_of_the_sdk_to_say_that_it_is_missing(task: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    (tmp_path / "pipeline.yaml").write_text(
        "{ws_name: churn-ws, resource_group: rg, subscription_id: 12345678-1234-1234-1234-123456789012, "
        "backend: azure, env_name: e, compute_name: cpu, steps: {train: {script_name: train.py}}, "
        "environments: {e: {}}, computes: {cpu: {vm_size: STANDARD_DS3_V2}}}"
    )
    program = f"""
        import sys
        sys.modules.update(dict.fromkeys(("azure", "azureml", "msal", "msrest", "requests", "urllib3")))
        from invoke import Program
        from azml_tasks.tasks import namespace
        Program(namespace=namespace).run(["invoke", "{task}"])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "", "PYTHONPATH": str(Path(__file__).parents[4])},
        capture_output=True,
        text=True,
        check=False,
    )
    if sys.version_info < (3, 12):
        sentence = 'Azure ML\'s SDK v1 is not installed: run pip install "azml-tasks[azure]"'
    else:
        sentence = (
            f"Azure ML's SDK v1 supports Python 3.10 and 3.11, but this is Python {PYTHON}: create an environment with "
            'Python 3.11 and run pip install "azml-tasks[azure]" in it'
        )
    assert (done.stderr, done.returncode) == (f"{sentence}\n", 2)


@pytest.mark.skipif(not HAS_CORE, reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")
def test_the_sdk_is_imported_without_a_warning_and_without_telemetry(tmp_path: Path) -> None:
    program = """
        import os
        from azml_tasks.azure.v1.client.sdk import require_sdk
        require_sdk()
        import azureml.telemetry
        print(azureml.telemetry.get_diagnostics_collection_info("azureml.dataset"))
        print(azureml.telemetry.get_telemetry_log_handler())
        print("HBI_WORKSPACE_JOB" in os.environ)
    """
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", textwrap.dedent(program)],
        env={"HOME": str(tmp_path), "PATH": "", "PYTHONPATH": str(Path(__file__).parents[4])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["(False, 'NOTSET')", "<NullHandler (NOTSET)>", "False"]
    assert done.stderr == ""


def test_while_it_works_for_us_the_sdk_logs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    cut_off = logging.getLogger("azureml.data._loggerfactory.test")
    cut_off.propagate = False
    cut_off.setLevel(logging.DEBUG)
    with quiet():
        logging.getLogger("azureml.core").error("get_workspace error")
        cut_off.warning("ActivityCompleted")
        warnings.warn_explicit("old", FutureWarning, "sdk.py", 1, module="azureml.core.workspace")
    assert capsys.readouterr().err == ""
    cut_off.warning("heard again")
    assert capsys.readouterr().err == "heard again\n"


def test_our_own_warnings_are_heard_meanwhile() -> None:
    with quiet(), pytest.warns(FutureWarning, match="ours"):
        warnings.warn_explicit("ours", FutureWarning, "ours.py", 1, module="azml_tasks.azure")


def test_threads_that_overlap_leave_logging_as_it_was() -> None:
    before = logging.lastResort, logging.getLogger("azureml").level

    def work(number: int) -> None:
        with quiet():
            logging.getLogger("azureml").debug("%d", number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))
    assert (logging.lastResort, logging.getLogger("azureml").level) == before
