"""A script may import names of the SDK that it never uses; the first use takes them from the SDK, or refuses."""

from __future__ import annotations

import pytest

from tests.standin.step import Step
from tests.standin.test_sdk import INSTALL, PYTHON, WITHOUT_PACKAGES, with_sdk

IMPORTS = """\
import azureml.dataprep as dprep
import azureml.train.automl
import azureml.train.automl.runtime.x
from azureml import train
from azureml.contrib.fairness import upload_dashboard_dictionary
from azureml.core import ComputeTarget, Environment, Image, Run, ScriptRunConfig, Webservice
from azureml.core import compute, webservice
from azureml.core.authentication import InteractiveLoginAuthentication, ServicePrincipalAuthentication
from azureml.core.compute import AmlCompute, ComputeTarget as Same
from azureml.core.compute_target import ComputeTargetException
from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.model import InferenceConfig, Model
from azureml.core.runconfig import RunConfiguration
from azureml.core.webservice import AciWebservice, LocalWebservice
from azureml.data import OutputFileDatasetConfig
from azureml.data.dataset_consumption_config import DatasetConsumptionConfig
from azureml.exceptions import ComputeTargetException as Other, RunConfigurationException
from azureml.interpret import ExplanationClient
from azureml.opendatasets import Diabetes
from azureml.pipeline.core import Pipeline, PipelineData, PipelineParameter, StepSequence
from azureml.pipeline.steps import PythonScriptStep
from azureml.train.automl import AutoMLConfig
from azureml.train.hyperdrive import HyperDriveConfig
from azureml.widgets import RunDetails
"""
# What scripts do with names without using what they stand for.
MENTIONS = """
from typing import List, Optional

def deploy(target: ComputeTarget, service: Optional[Webservice] = None, all: List[Pipeline] = ()) -> "Webservice": ...
def either(one: AmlCompute | None, two: None | AmlCompute): ...

try:
    pass
except (ComputeTargetException, Other, RunConfigurationException):
    pass
run = Run.get_context()
run.log("n", 1)
print(isinstance(run, Webservice), isinstance(run, (Pipeline, Run)), issubclass(Run, Environment), run.id)
print([name for name in sys.modules if name.startswith("azureml._")])
"""
BOTH = pytest.mark.parametrize("options", [(WITHOUT_PACKAGES,), pytest.param((), marks=with_sdk)], ids=["bare", "sdk"])


@BOTH
def test_what_is_imported_and_never_used_is_not_loaded(step: Step, options: tuple[str, ...]) -> None:
    printed = step.run("import sys\n" + IMPORTS + MENTIONS, *options)

    assert printed.splitlines() == ["False True False churn-7_train", "[]"]


@BOTH
@pytest.mark.parametrize(
    ("imported", "used", "sentence"),
    [
        (
            "from azureml.core import Webservice",
            "Webservice(None, 'x')",
            "azureml.core.Webservice needs Azure, but a local run never connects to Azure",
        ),
        (
            "from azureml.train.automl import AutoMLConfig",
            "AutoMLConfig(task='regression')",
            "azureml.train.automl.AutoMLConfig needs Azure, but a local run never connects to Azure",
        ),
        (
            "import azureml.interpret",
            "azureml.interpret.ExplanationClient.from_run(None)",
            "azureml.interpret.ExplanationClient is not available in local runs; "
            f"install it: pip install azureml-interpret{PYTHON}",
        ),
        (
            "from azureml.core import Environment",
            "class Mine(Environment): ...",
            f"azureml.core.Environment is not available in local runs; {INSTALL}{PYTHON}",
        ),
    ],
)
def test_the_first_use_refuses_in_a_sentence_where_the_sdk_is_not_installed(
    step: Step, options: tuple[str, ...], imported: str, used: str, sentence: str
) -> None:
    if not options and "interpret" not in imported:
        pytest.skip("the SDK has it")
    script = f"""{imported}
try:
    {used}
except Exception as error:
    print(type(error).__name__, error)
"""

    assert step.run(script, *options) == f"LocalRunException {sentence}\n"


@BOTH
def test_a_name_that_the_sdk_has_not_is_an_import_error(step: Step, options: tuple[str, ...]) -> None:
    script = """
for line in ("from azureml.core import Webservise", "from azureml.core import nothing",
             "import azureml.core.computes", "import azureml.nothing", "from azureml.nothing import x"):
    try:
        exec(line)
    except ImportError as error:
        print("ImportError")
"""

    assert step.run(script, *options) == "ImportError\n" * 5


def test_a_library_that_looks_for_the_sdk_does_not_find_what_is_not_there(step: Step) -> None:
    library = step.project / "venv/site-packages/library.py"
    library.parent.mkdir(parents=True)
    library.write_text("try:\n    import azureml.widgets\nexcept ImportError:\n    print('has no widgets')\n")
    script = f"import sys; sys.path.append({str(library.parent)!r}); import library"

    assert step.run(script, WITHOUT_PACKAGES) == "has no widgets\n"


@with_sdk
def test_the_first_use_takes_the_name_from_the_sdk(step: Step) -> None:
    printed = step.run("""
        import sys
        import azureml.train.hyperdrive as hyperdrive
        from azureml.core import Environment, Run, ScriptRunConfig
        from azureml.core.conda_dependencies import CondaDependencies
        from azureml.core.runconfig import RunConfiguration
        from azureml.pipeline.core import PipelineParameter
        from azureml.pipeline.steps import PythonScriptStep

        run = Run.get_context()
        environment = Environment("made")
        environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["pandas"])
        print(isinstance(environment, Environment), type(environment).__module__, isinstance(run, ScriptRunConfig))
        print(issubclass(type(environment), Environment), hyperdrive.choice(1, 2))
        class Mine(RunConfiguration): pass
        print(Mine.__mro__[1].__module__, PipelineParameter("a", 1).default_value)
        import azureml.train.hyperdrive
        from azureml.train.hyperdrive import choice
        print(choice.__module__, run.id, Run.get_context() is run, PythonScriptStep.__mro__[0].__module__)
    """)

    assert printed.splitlines() == [
        "True azureml.core.environment False",
        "True ['choice', [[1, 2]]]",
        "azureml.core.runconfig 1",
        "azureml.train.hyperdrive.parameter_expressions churn-7_train True azureml.pipeline.steps.python_script_step",
    ]


@with_sdk
def test_a_constant_is_the_sdks_own(step: Step) -> None:
    printed = step.run(
        "from azureml.core.runconfig import DEFAULT_CPU_IMAGE\nprint(type(DEFAULT_CPU_IMAGE).__name__)\n"
    )

    assert printed == "str\n"


@with_sdk
def test_the_sdk_finds_its_own_modules_whatever_the_script_has_imported(step: Step) -> None:
    printed = step.run("""
        import azureml.dataprep as dprep
        import azureml.train.automl
        from azureml.core import Environment
        from azureml.dataprep import Dataflow
        Environment("x")
        import azureml.dataprep.api.dataflow
        from azureml.dataprep import Dataflow as Loaded
        print(dprep.Dataflow is Loaded, azureml.dataprep.api.dataflow.Dataflow.__name__, isinstance(Loaded, type))
    """)

    assert printed.splitlines() == ["True Dataflow True"]
