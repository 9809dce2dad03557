"""Checks of what Azure needs in the file, beyond the local backend."""

from __future__ import annotations

from collections.abc import Iterator

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.plan import ParameterValue
from azml_tasks.reading import Project
from azml_tasks.reading.project import files_of

WORKSPACE = ("ws_name", "resource_group", "subscription_id")
# The parameters that the SDK itself gives every step (azureml-pipeline-core, _module_parameter_provider.py), in lower
# case; a parameter of the file with such a name would replace it.
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


def azure_problems(project: Project) -> list[Problem]:
    """Return everything that prevents a run on Azure: missing names and reserved names.

    Unset variables are not reported, so that a machine without secrets can check the file.
    """
    return [*_workspace(project), *_pipeline(project), *environment_problems(project)]


def needs_of(project: Project) -> list[Problem]:
    """Return what the project's backend needs of the file and does not find in it."""
    if project.pipeline.backend == "azure":
        return azure_problems(project)
    return v2_problems(project) if project.pipeline.backend == "azure-v2" else []


def v2_problems(project: Project) -> list[Problem]:
    """Return everything that prevents a run on Azure ML v2: what v1 needs too, and what v2 does not have."""
    return [*azure_problems(project), *_not_in_v2(project)]


def _not_in_v2(project: Project) -> Iterator[Problem]:
    schedule = project.pipeline.schedule
    if schedule and schedule.on_blob_change:
        yield project.problem(
            ("schedule", "on_blob_change"),
            "Azure ML v2 has no schedules on blob changes: use a schedule by time, or an Event Grid subscription of "
            "the storage account with a Logic App or a Function that runs `invoke published.run`",
        )


def environment_problems(project: Project) -> list[Problem]:
    """Return what prevents Azure from building the environments: errors in them, and files on this machine."""
    files = files_of(project)
    return [*files.faults(), *files.unseen_by_azure()]


def check_environments(project: Project) -> None:
    """Check that Azure can build the environments; raises ProjectError with all problems."""
    problems = environment_problems(project)
    if problems:
        raise ProjectError(problems)


def check_azure_needs(project: Project, *, sent: bool = True) -> None:
    """Check that Azure can run the pipeline: each step has a compute and an environment, and no name is reserved.

    With `sent`, environments must not refer to files on this machine. Raises ProjectError with all that is wrong.
    """
    problems = [*_pipeline(project), *(environment_problems(project) if sent else ())]
    if problems:
        raise ProjectError(problems)


def publishing_problems(project: Project) -> list[Problem]:
    """Return what prevents a published pipeline from starting: used parameters with an empty default."""
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
    """Check that the file has a workspace and that its variables are set.

    Raises ProjectError.
    """
    project.require(*WORKSPACE, "auth")
    problems = list(_workspace(project))
    if problems:
        raise ProjectError(problems)


def _workspace(project: Project) -> Iterator[Problem]:
    for key in WORKSPACE:
        if not getattr(project.pipeline, key):
            yield project.problem((key,), f"Azure needs {key}, which is not set in the file")


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
                message = f"step '{key}' has no {noun}: Azure needs {setting}, in the step or at the top level"
                yield project.problem(("steps", key), message)


def _parameters(project: Project) -> Iterator[Problem]:
    for name, default in project.pipeline.pipeline_parameters.items():
        path = ("pipeline_parameters", name)
        if name.lower() in RESERVED_PARAMETERS:
            yield project.problem(path, f"'{name}' is reserved by Azure; use another name")
        if isinstance(default, str) and "\n" in default:
            yield project.problem(path, f"the default of '{name}' has several lines; Azure allows one")


def _inputs(project: Project) -> Iterator[Problem]:
    for step in project.plan.steps:
        outputs = {output.name for output in step.outputs}
        for item in step.inputs:
            if item.name in outputs:
                message = (
                    f"step '{step.key}' has an input and an output with the name '{item.name}' in Azure; rename the "
                    "input"
                )
                yield project.problem(("steps", step.key), message)
