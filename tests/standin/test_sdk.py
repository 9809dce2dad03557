"""Names that a local run has not come from the SDK, or say how to install it; outside of a run the SDK is itself."""

from __future__ import annotations

import importlib.util
import re
import sys

import pytest

from tests.standin.step import Step

WITHOUT_PACKAGES = "-S"
IS_INSTALLED = importlib.util.find_spec("azureml") is not None and importlib.util.find_spec("azureml.core") is not None
with_sdk = pytest.mark.skipif(not IS_INSTALLED, reason="the SDK is not installed")

INSTALL = 'install it: pip install "azml-tasks[azure]"'
OF_AZURE = "needs Azure, but a local run never connects to Azure; to import it anyway,"
PYTHON = "" if sys.version_info < (3, 12) else " (needs Python 3.10 or 3.11)"

TRY = """
    import contextlib

    for line in %r:
        try:
            exec(line)
        except ImportError as error:
            print(f"{type(error).__name__}: {error}")
        else:
            print("ok")
"""


def test_outside_of_a_run_without_the_sdk_each_import_names_what_to_install(step: Step) -> None:
    imports = [
        "from azureml.pipeline.core import Pipeline",
        "import azureml.pipeline.steps",
        "from azureml.core import Run, ScriptRunConfig",
        "from azureml.core import authentication",
        "from azureml.core.authentication import ServicePrincipalAuthentication",
        "from azureml.core.model import InferenceConfig",
        "from azureml.interpret import ExplanationClient",
        "from azureml.train.automl.runtime import x",
        "import azureml.train.automl",
        "from azureml.train.hyperdrive import HyperDriveConfig",
        "import azureml.automl.core",
        "from azureml.core.webservice import AciWebservice",
        "from azureml.core import Webservice",
    ]

    assert step.run(TRY % (imports,), WITHOUT_PACKAGES, in_run=False).splitlines() == [
        f"ImportError: azureml.pipeline.core.Pipeline is not available in local runs; {INSTALL}{PYTHON}",
        f"ModuleNotFoundError: azureml.pipeline.steps is not available in local runs; {INSTALL}{PYTHON}",
        f"ImportError: azureml.core.ScriptRunConfig is not available in local runs; {INSTALL}{PYTHON}",
        f"ModuleNotFoundError: azureml.core.authentication is not available in local runs; {INSTALL}{PYTHON}",
        f"ModuleNotFoundError: azureml.core.authentication is not available in local runs; {INSTALL}{PYTHON}",
        f"ImportError: azureml.core.model.InferenceConfig is not available in local runs; {INSTALL}{PYTHON}",
        "ModuleNotFoundError: azureml.interpret is not available in local runs; "
        f"install it: pip install azureml-interpret{PYTHON}",
        f"ModuleNotFoundError: azureml.train {OF_AZURE} {INSTALL}{PYTHON}",
        f"ModuleNotFoundError: azureml.train {OF_AZURE} {INSTALL}{PYTHON}",
        f"ModuleNotFoundError: azureml.train {OF_AZURE} {INSTALL}{PYTHON}",
        f"ModuleNotFoundError: azureml.automl {OF_AZURE} {INSTALL}{PYTHON}",
        f"ModuleNotFoundError: azureml.core.webservice {OF_AZURE} {INSTALL}{PYTHON}",
        f"ImportError: azureml.core.Webservice {OF_AZURE} {INSTALL}{PYTHON}",
    ]


def test_every_name_of_a_local_run_can_be_imported_in_every_way(step: Step) -> None:
    imports = [
        "from azureml.core import Dataset, Datastore, Experiment, Keyvault, Model, Run, Workspace, get_run",
        "from azureml.core.run import Run, _OfflineRun, _SubmittedRun, get_run",
        "from azureml.core import run, dataset, model",
        "import azureml.core, azureml.core.run as r; azureml.core.Run is r.Run or 1 / 0; azureml.core.VERSION",
        "from azureml import core",
        "from azureml.core.dataset import Dataset",
        "from azureml.core.datastore import Datastore",
        "from azureml.core.experiment import Experiment",
        "from azureml.core.keyvault import Keyvault",
        "from azureml.core.model import Dataset, Model",
        "from azureml.core.workspace import Workspace",
        "from azureml.data import DataType, FileDataset, TabularDataset",
        "from azureml.data.abstract_dataset import AbstractDataset",
        "from azureml.data.azure_storage_datastore import AzureBlobDatastore",
        "from azureml.data.data_reference import DataReference",
        "from azureml.data.datapath import DataPath",
        "from azureml.data.dataset_factory import DataType, FileDatasetFactory, TabularDatasetFactory",
        "from azureml.data.dataset_type_definitions import PromoteHeadersBehavior",
        "from azureml.data.file_dataset import FileDataset",
        "from azureml.data.tabular_dataset import TabularDataset",
        "from azureml.exceptions import AzureMLException, UserErrorException, WebserviceException",
        "from azureml.pipeline.core import PipelineRun, PortDataReference, StepRun, StepRunOutput",
        "from azureml.pipeline.core.run import PipelineRun, StepRun, StepRunOutput",
        "scope = {}; exec('from azureml.core import *', scope); scope['Run'], scope['Model']",
        "hasattr(azureml.core, 'nothing') and 1 / 0",
    ]

    assert step.run(TRY % (imports,), WITHOUT_PACKAGES) == "ok\n" * len(imports)


def test_a_script_that_logs_imports_nothing_heavy(step: Step) -> None:
    script = """
        import json, sys
        from azureml.core import Run
        Run.get_context().log("a", 1)
        print(json.dumps(sorted(sys.modules)))
    """
    heavy = {"dataclasses", "datetime", "glob", "inspect", "logging", "pathlib", "shutil", "tempfile", "typing", "uuid"}

    assert heavy & set(step.answers(script, WITHOUT_PACKAGES)) == set()


def test_outside_of_a_run_without_the_sdk_the_run_prints(step: Step) -> None:
    printed = step.run(
        """
        from azureml.core import Run
        from azureml.core.run import _OfflineRun
        from azureml.exceptions import RunEnvironmentException

        run = Run.get_context()
        assert isinstance(run, _OfflineRun) and run.id.startswith("OfflineRun_")
        with run:
            run.log("loss", 0.5)
            run.log_row("row", x=1)
            run.tag("kind", "x")
            run.upload_file("a", "b")
            run.child_run("kid").log("loss", 1)
            run.complete()
        try:
            Run.get_context(allow_offline=False)
        except RunEnvironmentException as error:
            print(error)
        """,
        WITHOUT_PACKAGES,
        in_run=False,
    )

    assert re.sub(r"(?<=OfflineRun_)[-0-9a-f]+", "ID", printed).splitlines() == [
        "[START] Run OfflineRun_ID context",
        "Attempted to log scalar metric loss:",
        "0.5",
        "Attempted to log row metric row:",
        "{'x': 1}",
        "Attempted to add tag kind with value x",
        "Attempted to track file a at b",
        "Attempted to log scalar metric loss:",
        "1",
        "[STOP] Run OfflineRun_ID context",
        "this process is not a submitted run; start it with `invoke run`, or allow an offline run",
    ]


def test_what_only_a_run_has_says_how_to_start_one(step: Step) -> None:
    printed = step.run(
        """
        from azureml.core import Dataset, Run

        run = Run.get_context()
        for ask in (
            lambda: run.input_datasets["customers"],
            lambda: run.experiment,
            lambda: Dataset.get_by_name(None, "customers"),
            lambda: run.__deepcopy__,
        ):
            try:
                ask()
            except Exception as error:
                print(error)
        print(hasattr(run, "input_datasets"))
        """,
        WITHOUT_PACKAGES,
        in_run=False,
    )

    by_hand = "because the script was started by hand, outside a run; run its step with `invoke run --only STEP`"
    assert printed.splitlines() == [
        f"'_OfflineRun' object has no attribute 'input_datasets', {by_hand}",
        f"'_OfflineRun' object has no attribute 'experiment', {by_hand}",
        "Dataset.get_by_name is only possible in a run; run the step with `invoke run --only STEP`",
        "'_OfflineRun' object has no attribute '__deepcopy__'",
        "False",
    ]


@with_sdk
def test_outside_of_a_run_the_sdk_is_itself(step: Step) -> None:
    printed = step.run(
        """
        from azureml.core import Dataset, Run, ScriptRunConfig
        from azureml.core.run import _OfflineRun
        from azureml.exceptions import RunEnvironmentException

        run = Run.get_context()
        print(Run.__module__, Dataset.__module__, type(run).__module__, isinstance(run, _OfflineRun))
        try:
            Run.get_context(allow_offline=False)
        except RunEnvironmentException as error:
            print(type(error).__module__)
        """,
        in_run=False,
    )

    assert printed.splitlines() == [
        "azureml.core.run azureml.core.dataset azureml.core.run True",
        "azureml.exceptions._azureml_exception",
    ]


@with_sdk
@pytest.mark.parametrize(
    "first",
    [
        "from azureml.core import Run, ScriptRunConfig",
        "import azureml.train.hyperdrive",
        "from azureml.core import authentication, diagnostic_log",
    ],
)
def test_beside_the_sdk_a_script_keeps_the_local_run_and_the_sdk_its_own(step: Step, first: str) -> None:
    printed = step.run(f"""
        {first}
        import azureml.core
        from azureml.core import Dataset, Environment, Experiment, Model, Run, ScriptRunConfig, Workspace
        from azureml.core.model import InferenceConfig, Model as SameModel
        from azureml.core.run import Run as SameRun
        from azureml.core.runconfig import RunConfiguration
        from azureml.data import OutputFileDatasetConfig, TabularDataset
        from azureml.core.script_run import ScriptRun
        from azureml.pipeline.core import Pipeline, PipelineParameter, StepRun
        from azureml.pipeline.steps import PythonScriptStep

        run = Run.get_context()
        ws = run.experiment.workspace
        configuration = RunConfiguration()
        configuration.environment = Environment("made")
        step = PythonScriptStep("script.py", source_directory=".", compute_target="cpu", runconfig=configuration,
                                outputs=[OutputFileDatasetConfig(name="out")])
        ScriptRunConfig(".", "script.py")
        run.log("loss", 1)
        run.input_datasets["customers"].register(ws, "again")
        print(run.id, Run is SameRun is azureml.core.Run, Model is SameModel, Run.__module__)
        print(ScriptRun.get_context() is run, issubclass(ScriptRun, Run), ScriptRun.__mro__[1].__module__)
        print(issubclass(StepRun, Run))
        print(Dataset.get_by_name(ws, "again").name, isinstance(ws.datasets["again"], TabularDataset))
        print(run.get_environment().name)
        try:
            ScriptRun(run.experiment, "x")
        except Exception as error:
            print(error)
    """)

    assert printed.splitlines() == [
        "churn-7_train True True azml_local.run.run",
        "True False azureml.core.run",
        "True",
        "again True",
        "churn-env",
        "this call of the Azure SDK is not possible: a local run never connects to Azure",
    ]
    assert step.records() == [{"name": "loss", "kind": "scalar", "value": 1, "type": "int"}]


@with_sdk
def test_a_question_that_is_no_import_does_not_load_the_sdk(step: Step) -> None:
    script = """
        import json, sys
        import azureml.core
        print(json.dumps([hasattr(azureml.core, "log1p"), "azureml.core.authentication" in sys.modules]))
    """

    assert step.answers(script) == [False, False]


@with_sdk
def test_an_unknown_name_is_an_ordinary_import_error(step: Step) -> None:
    imports = ["from azureml.core import Nothing", "import azureml.core.nothing", "import azureml.opendatasets"]

    lines = step.run(TRY % (imports,)).splitlines()

    assert [line.partition(" (")[0] for line in lines] == [
        "ImportError: cannot import name 'Nothing' from 'azureml.core'",
        "ModuleNotFoundError: No module named 'azureml.core.nothing'",
        "ModuleNotFoundError: azureml.opendatasets is not available in local runs; "
        f"install it: pip install azureml-opendatasets{PYTHON}",
    ]
