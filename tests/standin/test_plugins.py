"""Packages below `azureml` that need nothing of azureml-core are found beside the stand-in without loading the SDK."""

from __future__ import annotations

import pytest

from tests.standin.step import Step

# As installed: mlflow finds azureml-mlflow by its entry points. The SDK that is there is not imported.
_FILES = {
    "azureml/__init__.py": "raise SystemExit('the SDK was loaded')\n",
    "azureml/core/__init__.py": "raise SystemExit('the SDK was loaded')\n",
    "azureml/{name}/__init__.py": "from azureml.{name} import parts\n",
    # Which it does without, rather than load the SDK.
    "azureml/{name}/parts.py": "from . import more\ntry:\n    import azureml.telemetry\nexcept ImportError:\n"
    "    VALUE = more.VALUE\n",
    "azureml/{name}/more/__init__.py": "VALUE = 7\n",
    "mlflow.py": "import importlib\nVALUE = importlib.import_module('azureml.{name}.parts').VALUE\n",
}
_LOADED = """
    import sys, threading
    sys.path.insert(2, {site!r})  # after the script's folder and the stand-in
    {imports}
    from azureml.core import Run
    assert type(Run.get_context()).__module__.startswith("azml_local."), type(Run.get_context())
    print(VALUE, threading.active_count(), sys.modules["azureml.core"].__file__.startswith({site!r}))
"""


@pytest.mark.parametrize("name", ["mlflow", "dataprep", "fsspec"])
@pytest.mark.parametrize(
    "imports",
    [
        "from mlflow import VALUE",
        "import azureml.{name}; VALUE = azureml.{name}.parts.VALUE",
        "from azureml.{name}.more import VALUE",
    ],
)
def test_import_mlflow_loads_no_azureml_core(step: Step, name: str, imports: str):
    for file, text in _FILES.items():
        step.write(f"site-packages/{file.format(name=name)}", text.replace("{name}", name))
    step.variables["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:1"
    site = str(step.project / "site-packages")

    printed = step.run(_LOADED.format(site=site, imports=imports.format(name=name)))

    assert printed == "7 1 False\n"


def test_a_plugin_that_is_not_installed_is_still_only_missed_when_it_is_used(step: Step):
    script = """
        import azureml.mlflow
        try:
            azureml.mlflow.register()
        except Exception as error:
            print(error)
    """

    assert "pip install azureml-mlflow" in step.run(script, "-S")
