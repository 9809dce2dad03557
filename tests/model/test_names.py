"""Azure's naming rules are checked offline, and the sentence says the rule."""

from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from azml_tasks.model import names
from azml_tasks.model.base import InvalidNameError
from azml_tasks.model.names import identifier, input_name_problem
from azml_tasks.text import shortened

WORKSPACE = "a workspace name has 3 to 33 letters, digits, underscores and dashes, and starts with a letter or a digit"
GROUP = (
    "a resource group name has 1 to 90 letters, digits, underscores, dashes, dots and parentheses, and does not end "
    "with a dot"
)
SUBSCRIPTION = (
    "a subscription ID is a GUID such as 12345678-90ab-cdef-1234-567890abcdef (`az account show` prints yours)"
)
EXPERIMENT = (
    "an experiment name has 1 to 255 letters, digits, underscores and dashes, and starts with a letter or a digit"
)
DATASTORE = "a datastore name has 1 to 255 letters, digits and underscores"
DATASET = "a dataset name has 1 to 255 letters, digits, underscores, dashes, dots and spaces"
ENVIRONMENT = "an environment name has 1 to 255 letters, digits, underscores, dashes and dots"
COMPUTE = (
    "a compute cluster name has 2 to 16 letters, digits and dashes, starts with a letter and does not end with a dash"
)
CONTAINER = "a blob container name has 3 to 63 lower-case letters, digits and single dashes"
ACCOUNT = "a storage account name has 3 to 24 lower-case letters and digits"
VARIABLE = "an environment variable name has only letters, digits and underscores"
PARAMETER = (
    "a pipeline parameter name has only letters, digits and underscores, and starts with a letter or an underscore"
)
STEP = (
    "a step name has up to 100 letters, digits, underscores, dashes, dots and spaces, "
    "starts with a letter, a digit or an underscore, and does not end with a dot or a space"
)
ARGUMENT = "an argument starts with a dash and has no space and no '=', as in '--input-folder'"


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (names.WorkspaceName, "abc"),
        (names.WorkspaceName, "Churn-ws_2"),
        (names.WorkspaceName, "1" + "a" * 32),
        (names.ResourceGroupName, "r"),
        (names.ResourceGroupName, "rg.(prod)-été_1"),
        (names.ResourceGroupName, "r" * 90),
        (names.SubscriptionId, "12345678-90ab-cdef-1234-567890ABCDEF"),
        (names.SubscriptionId, "${AZURE_SUBSCRIPTION_ID}"),
        (names.ExperimentName, "e"),
        (names.ExperimentName, "1_e-" + "e" * 251),
        (names.DatastoreName, "_"),
        (names.DatastoreName, "Blob_1"),
        (names.DatastoreName, "b" * 255),
        (names.DatasetName, "customers 2024-01.v2"),
        (names.DatasetName, "d" * 255),
        (names.EnvironmentName, "AzureML-sklearn-1.5"),
        (names.EnvironmentName, "e" * 255),
        (names.EnvironmentReference, "AzureML-sklearn-1.5@12"),
        (names.EnvironmentReference, "${ENV:-churn-env}"),
        (names.EnvironmentReference, "${ENV:-churn-env:1}"),
        (names.ComputeName, "cc"),
        (names.ComputeName, "Cpu-cluster-0001"),
        (names.ContainerName, "raw"),
        (names.ContainerName, "a-b-1"),
        (names.ContainerName, "$root"),
        (names.ContainerName, "$logs"),
        (names.ContainerName, "$web"),
        (names.ContainerName, "c" * 63),
        (names.StorageAccountName, "abc"),
        (names.StorageAccountName, "0" * 24),
        (names.VariableName, "_A1"),
        (names.ParameterName, "_alpha1"),
        (names.StepKey, "a"),
        (names.StepKey, "Étape 1.b_c-d"),
        (names.StepKey, "_"),
        (names.StepKey, "1" * 100),
        (names.ArgumentName, "-a"),
        (names.ArgumentName, "--train/folder"),
        (names.InputKey, "--new-data"),
        (names.InputKey, "customers"),
        (names.WorkspaceName, "${WS}"),
        (names.ComputeName, "cpu-${STAGE}-a-name-of-more-than-16"),
    ],
)
def test_names_that_azure_takes(rule, name):
    assert TypeAdapter(rule).validate_python(name) == name


@pytest.mark.parametrize(
    ("rule", "name", "sentence"),
    [
        (names.WorkspaceName, "ab", WORKSPACE),
        (names.WorkspaceName, "a" * 34, WORKSPACE),
        (names.WorkspaceName, "-ab", WORKSPACE),
        (names.WorkspaceName, "_ab", WORKSPACE),
        (names.WorkspaceName, "a b", WORKSPACE),
        (names.WorkspaceName, "abc\n", WORKSPACE),
        (names.WorkspaceName, "été", WORKSPACE),
        (names.WorkspaceName, "nom du ws", WORKSPACE),
        (names.WorkspaceName, "$WS", WORKSPACE),
        (names.WorkspaceName, "${W S}", WORKSPACE),
        (names.DatastoreName, "../../x${A}", DATASTORE),
        (names.StepKey, "\x1b[31m${A}", STEP),
        (names.ResourceGroupName, "", GROUP),
        (names.ResourceGroupName, "rg.", GROUP),
        (names.ResourceGroupName, "a/b", GROUP),
        (names.ResourceGroupName, "r" * 91, GROUP),
        (names.SubscriptionId, "", SUBSCRIPTION),
        (names.SubscriptionId, "abc", SUBSCRIPTION),
        (names.SubscriptionId, "Pay as you go", SUBSCRIPTION),
        (names.SubscriptionId, "12345678-90ab-cdef-1234-567890abcdeg", SUBSCRIPTION),
        (names.SubscriptionId, "1234567890abcdef1234567890abcdef", SUBSCRIPTION),
        (names.ExperimentName, "", EXPERIMENT),
        (names.ExperimentName, "-e", EXPERIMENT),
        (names.ExperimentName, "a b", EXPERIMENT),
        (names.ExperimentName, "e" * 256, EXPERIMENT),
        (names.DatastoreName, "", DATASTORE),
        (names.DatastoreName, "test-datastore", DATASTORE),
        (names.DatastoreName, "b" * 256, DATASTORE),
        (names.DatasetName, "", DATASET),
        (names.DatasetName, "-d", DATASET),
        (names.DatasetName, "a/b", DATASET),
        (names.DatasetName, "d" * 256, DATASET),
        (names.EnvironmentName, "", ENVIRONMENT),
        (names.EnvironmentName, "a b", ENVIRONMENT),
        (names.EnvironmentName, "e@1", ENVIRONMENT),
        (names.EnvironmentName, "e" * 256, ENVIRONMENT),
        (names.ComputeName, "c", COMPUTE),
        (names.ComputeName, "1c", COMPUTE),
        (names.ComputeName, "c-", COMPUTE),
        (names.ComputeName, "c_c", COMPUTE),
        (names.ComputeName, "test-compute001-x", COMPUTE),
        (names.ContainerName, "ra", CONTAINER),
        (names.ContainerName, "Raw", CONTAINER),
        (names.ContainerName, "a--b", CONTAINER),
        (names.ContainerName, "-ab", CONTAINER),
        (names.ContainerName, "ab-", CONTAINER),
        (names.ContainerName, "$other", CONTAINER),
        (names.ContainerName, "c" * 64, CONTAINER),
        (names.StorageAccountName, "ab", ACCOUNT),
        (names.StorageAccountName, "Abc", ACCOUNT),
        (names.StorageAccountName, "a-b", ACCOUNT),
        (names.StorageAccountName, "0" * 25, ACCOUNT),
        (names.VariableName, "1A", VARIABLE),
        (names.VariableName, "A-B", VARIABLE),
        (names.VariableName, "", VARIABLE),
        (names.ParameterName, "1a", PARAMETER),
        (names.ParameterName, "a b", PARAMETER),
        (names.ParameterName, "", PARAMETER),
        (names.StepKey, "", STEP),
        (names.StepKey, "../x", STEP),
        (names.StepKey, "a/b", STEP),
        (names.StepKey, "-a", STEP),
        (names.StepKey, ".a", STEP),
        (names.StepKey, " a", STEP),
        (names.StepKey, "a.", STEP),
        (names.StepKey, "a ", STEP),
        (names.StepKey, "a\nb", STEP),
        (names.StepKey, "1" * 101, STEP),
        (names.ArgumentName, "-", ARGUMENT),
        (names.ArgumentName, "a", ARGUMENT),
        (names.ArgumentName, "--a b", ARGUMENT),
        (names.ArgumentName, "--a=b", ARGUMENT),
        (names.ArgumentName, "", ARGUMENT),
        (names.InputKey, "--a b", ARGUMENT),
        (names.InputKey, "-", ARGUMENT),
    ],
)
def test_names_that_azure_refuses(rule, name, sentence):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(rule).validate_python(name)

    (error,) = caught.value.errors()
    assert isinstance(error["ctx"]["error"], InvalidNameError)
    assert (error["ctx"]["error"].name, error["ctx"]["error"].rule) == (name, sentence)
    meant = f"; write ${{{name[1:]}}} for the variable" if name in ("$WS", "$other") else ""
    assert str(error["ctx"]["error"]) == f"{shortened(repr(name))} is not a valid name: {sentence}{meant}"


@pytest.mark.parametrize("name", ["customers", "_c", "C1", "pathology", "home_"])
def test_names_that_a_dataset_may_have_in_the_run(name):
    assert input_name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        *(
            (
                name,
                f"'{name}' cannot be a dataset's name in the run: use letters, digits and underscores, not starting "
                "with a digit",
            )
            for name in ("", "my-data", "my data", "1a", "a.b", "été", "a\n")
        ),
        *(
            (name, f"'{name}' cannot be a dataset's name in the run: it would replace the variable {name.upper()}")
            for name in ("path", "user", "home", "shell", "pwd", "logname", "ld_library_path", "Path", "HOME")
        ),
    ],
)
def test_names_that_a_dataset_cannot_have_in_the_run(name, problem):
    assert input_name_problem(name) == problem.replace("'a\n'", r"'a\n'")


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("prepare", "--output-folder"), "prepare_output_folder"),
        (("prepare",), "prepare"),
        (("a.b c", "-x"), "a_b_c_x"),
        (("1st", "--out"), "_1st_out"),
        (("Étape préparée", "--dossier-été"), "Etape_preparee_dossier_ete"),
        (("訓練", "--out"), "out"),
        (("訓練",), "_"),
        (("---",), "_"),
        (("_a_", "__b"), "a_b"),
    ],
)
def test_an_identifier_for_azure(parts, name):
    assert identifier(*parts) == name


def test_the_letters_at_the_ends_of_a_name_stay():
    assert identifier("-X1_", "maX--") == "X1_maX"


@pytest.mark.parametrize("name", ["mine:1", "azureml:mine:1"])
def test_an_environment_with_a_version_as_v2_files_write_it_is_corrected(name):
    sentence = re.escape(f"a version of an environment is written NAME@VERSION: 'mine@1', not '{name}'")
    with pytest.raises(ValidationError, match=sentence):
        TypeAdapter(names.EnvironmentReference).validate_python(name)
