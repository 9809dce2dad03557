"""Azure's naming rules, as annotated types.

Sources: azureml-core (Datastore._client._validate_name, DataReference, Workspace name check), and the page
"Naming rules and restrictions for Azure resources" (Microsoft.MachineLearningServices, Microsoft.Storage).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

from azml_tasks.model.base import InvalidNameError, named
from azml_tasks.text import shortened

WorkspaceName = Annotated[
    str,
    named(
        "a workspace name has 3 to 33 letters, digits, underscores and dashes, and starts with a letter or a digit",
        r"[A-Za-z0-9][A-Za-z0-9_-]{2,32}",
    ),
]
ResourceGroupName = Annotated[
    str,
    named(
        "a resource group name has 1 to 90 letters, digits, underscores, dashes, dots and parentheses, and does not "
        "end with a dot",
        r"[-\w.()]{0,89}[-\w()]",
    ),
]
SubscriptionId = Annotated[
    str,
    named(
        "a subscription ID is a GUID such as 12345678-90ab-cdef-1234-567890abcdef (`az account show` prints yours)",
        r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    ),
]
_EXPERIMENT = (
    "an experiment name has 1 to 255 letters, digits, underscores and dashes, and starts with a letter or a digit",
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}",
)
ExperimentName = Annotated[str, named(*_EXPERIMENT)]
DatastoreName = Annotated[
    str,
    named("a datastore name has 1 to 255 letters, digits and underscores", r"[A-Za-z0-9_]{1,255}"),
]
DatasetName = Annotated[
    str,
    named(
        "a dataset name has 1 to 255 letters, digits, underscores, dashes, dots and spaces",
        r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,254}",
    ),
]
EnvironmentName = Annotated[
    str,
    named(
        "an environment name has 1 to 255 letters, digits, underscores, dashes and dots",
        r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}",
    ),
]
_WITH_COLON = r"(?:azureml:)?([A-Za-z0-9_.-]+):([A-Za-z0-9_.-]+)"


def _with_at(name: str) -> str:
    match = re.fullmatch(_WITH_COLON, name)
    if match:
        raise ValueError(f"a version of an environment is written NAME@VERSION: '{match[1]}@{match[2]}', not '{name}'")
    return name


# Also one of the workspace: NAME or NAME@VERSION.
EnvironmentReference = Annotated[str, AfterValidator(_with_at)]
ComputeName = Annotated[
    str,
    named(
        "a compute cluster name has 2 to 16 letters, digits and dashes, starts with a letter and does not end with "
        "a dash",
        r"[A-Za-z][A-Za-z0-9-]{0,14}[A-Za-z0-9]",
    ),
]
ContainerName = Annotated[
    str,
    named(
        "a blob container name has 3 to 63 lower-case letters, digits and single dashes",
        r"(?=.{3,63}$)(\$root|\$logs|\$web|[a-z0-9]+(-[a-z0-9]+)*)",
    ),
]
StorageAccountName = Annotated[
    str,
    named("a storage account name has 3 to 24 lower-case letters and digits", r"[a-z0-9]{3,24}"),
]
VariableName = Annotated[
    str,
    named("an environment variable name has only letters, digits and underscores", r"[A-Za-z_][A-Za-z0-9_]*"),
]
ParameterName = Annotated[
    str,
    named(
        "a pipeline parameter name has only letters, digits and underscores, and starts with a letter or an underscore",
        r"[A-Za-z_][A-Za-z0-9_]*",
    ),
]
StepKey = Annotated[
    str,
    named(
        "a step name has up to 100 letters, digits, underscores, dashes, dots and spaces, "
        "starts with a letter, a digit or an underscore, and does not end with a dot or a space",
        r"\w([\w. -]{0,98}[\w-])?",
    ),
]
_ARGUMENT_RULE = "an argument starts with a dash and has no space and no '=', as in '--input-folder'"
ArgumentName = Annotated[str, named(_ARGUMENT_RULE, r"-[^\s=]+")]
# An argument, or a name in the run that comes without one.
InputKey = Annotated[str, named(_ARGUMENT_RULE, r"-[^\s=]+|([^-][\s\S]*)?")]

# The SDK turns an input's name into an environment variable (azureml-core, dataset_consumption_config.py).
_RESERVED_INPUTS = frozenset(("path", "user", "home", "shell", "pwd", "logname", "ld_library_path"))


def experiment_name_problem(name: str) -> str | None:
    """Return why `name` cannot be an experiment's name, or None."""
    rule, pattern = _EXPERIMENT
    return None if re.fullmatch(pattern, name) else str(InvalidNameError(name, rule))


def input_name_problem(name: str) -> str | None:
    """Return why `name` cannot be a dataset's name in the run, or None."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return (
            f"{shortened(repr(name))} cannot be a dataset's name in the run: use letters, digits and underscores, "
            "not starting with a digit"
        )
    if name.lower() in _RESERVED_INPUTS:
        return f"{name!r} cannot be a dataset's name in the run: it would replace the variable {name.upper()}"
    return None


def _input_name(name: str) -> str:
    problem = input_name_problem(name)
    if problem:
        raise ValueError(problem)
    return name


InputName = Annotated[str, AfterValidator(_input_name)]

_OTHERS = re.compile(r"[^A-Za-z0-9]+")


def identifier(*parts: str) -> str:
    """Return an ASCII identifier made of the parts: `prepare`, `--output-folder` gives `prepare_output_folder`.

    Letters lose their accents, what is left between letters and digits becomes an underscore.
    """
    joined = "_".join(filter(None, map(_word, parts))) or "_"
    return f"_{joined}" if joined[0].isdigit() else joined


def _word(part: str) -> str:
    if not part.isascii():
        part = "".join(letter for letter in unicodedata.normalize("NFKD", part) if not unicodedata.combining(letter))
    return _OTHERS.sub("_", part).strip("_")
