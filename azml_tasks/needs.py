"""What Azure needs of the file and the local backend does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.reading import Project
from azml_tasks.reading.environment import files_of
from azml_tasks.wiring import ParameterValue

WORKSPACE = ("ws_name", "resource_group", "subscription_id")
# The parameters that the SDK itself gives every step (azureml-pipeline-core, _module_parameter_provider.py), in lower
# case; one of the file's would take its place.
_OF_AZURE = """
    amlcomputelocation amlcomputename amlcomputenodecount amlcomputeretaincluster amlcomputevmpriority amlcomputevmsize
    arguments autoprepareenvironment basedockerfile basedockerimage baseimageregistryaddress baseimageregistrypassword
    baseimageregistryusername batchairesourcegroup batchaisubscriptionid batchaiworkspacename clustername command
    communicator condadependencies containerinstancecpucores containerinstancememorygb containerinstanceregion
    directoriestowatch dockerarguments dockerenabled environmentvariables exposedports framework gpusupport
    historyoutputcollection interpreterpath jobname maxrundurationseconds mlccomputetype mpiprocesscountpernode
    nativeshareddirectory nodecount precachepackages prepareenvironment runconfiguration script sharedvolumes shmsize
    sourcedirectorydatastore sparkconfiguration sparkmavenpackages sparkrepositories target targettype
    tensorflowparameterservercount tensorflowworkercount usermanageddependencies yarndeploymode
"""
RESERVED_PARAMETERS = frozenset(_OF_AZURE.split())


# The extra of a project as the template makes it; Python 3.10 has no parser of TOML.
_AZURE_EXTRA = re.compile(r"^\[project\.optional-dependencies\]\s*$(?:\n(?!\[).*)*?\nazure\s*=", re.MULTILINE)


def install_command() -> str:
    """Return what installs Azure's SDK: the project's own extra in the current folder, if it has one, else ours."""
    try:
        has_extra = _AZURE_EXTRA.search(Path("pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        has_extra = None
    return 'pip install -e ".[azure]"' if has_extra else 'pip install "azml-tasks[azure]"'


def needs_problems(project: Project) -> list[Problem]:
    """Return all that keeps Azure from taking the pipeline: what is not named, and what has a name of Azure's own.

    Whether variables are set is not asked: a machine without secrets can check the file.
    """
    return [*_workspace(project), *_pipeline(project), *environment_problems(project)]


def environment_problems(project: Project) -> list[Problem]:
    """Return what keeps Azure from making the environments: faults in them, and files of this machine."""
    files = files_of(project)
    return [*files.faults(), *files.unseen_by_azure()]


def check_environments(project: Project) -> None:
    """See that Azure can make the environments; raises ProjectError with all that is wrong."""
    problems = environment_problems(project)
    if problems:
        raise ProjectError(problems)


def check_needs(project: Project, *, sent: bool = True) -> None:
    """See that Azure can take the pipeline: every step's compute and environment are named, and no name is its own.

    What is `sent` as it is may name no file of this machine either. Raises ProjectError with all that is wrong.
    """
    problems = [*_pipeline(project), *(environment_problems(project) if sent else ())]
    if problems:
        raise ProjectError(problems)


def publishing_problems(project: Project) -> list[Problem]:
    """Return what keeps a published pipeline from being started: used parameters with an empty default."""
    used = {token.name for step in project.plan.steps for token in step.argv if isinstance(token, ParameterValue)}
    return [
        project.problem(
            ("pipeline_parameters", name),
            f"pipeline parameter '{name}' has an empty default, which Azure ML v1 treats as no default: a published "
            "pipeline cannot start without a value, so its schedule never runs; use a default such as 'none'",
        )
        for name, default in project.pipeline.pipeline_parameters.items()
        if name in used and default == ""
    ]


def check_workspace(project: Project) -> None:
    """See that the file names a workspace, and that the variables are set by which it does.

    Raises ProjectError.
    """
    project.require(*WORKSPACE, "auth")
    problems = list(_workspace(project))
    if problems:
        raise ProjectError(problems)


def _workspace(project: Project) -> Iterator[Problem]:
    for key in WORKSPACE:
        if not getattr(project.pipeline, key):
            yield project.problem((key,), f"Azure needs {key}, and the file has none")


def _pipeline(project: Project) -> Iterator[Problem]:
    yield from _unnamed(project)
    yield from _parameters(project)
    yield from _inputs(project)


def _unnamed(project: Project) -> Iterator[Problem]:
    pipeline = project.pipeline
    for key, step in pipeline.steps.items():
        for noun, name, setting in (
            ("compute", pipeline.compute_of(step), "compute_name"),
            ("environment", pipeline.env_of(step), "env_name"),
        ):
            if name is None:
                message = f"step '{key}' has no {noun}: Azure needs {setting}, in the step or at the top of the file"
                yield project.problem(("steps", key), message)


def _parameters(project: Project) -> Iterator[Problem]:
    for name, default in project.pipeline.pipeline_parameters.items():
        path = ("pipeline_parameters", name)
        if name.lower() in RESERVED_PARAMETERS:
            yield project.problem(path, f"'{name}' is the name of a parameter of Azure's own; take another")
        if isinstance(default, str) and "\n" in default:
            yield project.problem(path, f"the default of '{name}' has several lines; Azure takes one")


def _inputs(project: Project) -> Iterator[Problem]:
    for step in project.plan.steps:
        outputs = {output.name for output in step.outputs}
        for item in step.inputs:
            if item.name in outputs:
                message = (
                    f"step '{step.key}' has an input and an output that Azure calls '{item.name}'; rename the input"
                )
                yield project.problem(("steps", step.key), message)
