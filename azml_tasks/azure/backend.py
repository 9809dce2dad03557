"""What the backends of Azure ML have in common: a project's workspace, whatever client reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from azml_tasks.backend import Backend, Run, RunRequest, Runs, UnsupportedError
from azml_tasks.errors import Problem

if TYPE_CHECKING:
    from azml_tasks.reading import Project


class _ToWorkspace(Protocol):
    project: Project


_Connection = TypeVar("_Connection", bound=_ToWorkspace)


class AzureRuns(Runs, Generic[_Connection]):
    """The runs of a project's experiment in the workspace that a connection leads to."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self.experiment = connection.project.pipeline.experiment

    def cancelling(self, record: Run) -> str:
        return f"Cancelling run {record.id} on Azure ML"


class AzureBackend(Backend):
    """Runs pipelines in a workspace of Azure ML."""

    after_interrupt = (
        "environments may have been registered; run `invoke runs.list` to see whether a run has started, or "
        "`invoke run` to start one"
    )

    def headline(self) -> str:
        from azml_tasks.model.base import is_unresolved

        project = self._project
        target = f", target {project.target}" if project.target else ""
        workspace = project.pipeline.ws_name
        where = f"in the workspace {workspace}" if workspace and not is_unresolved(workspace) else "on Azure ML"
        is_stated = "backend" in project.pipeline.model_fields_set
        default = "" if is_stated else ", the default: set `backend: local` to run on this machine"
        return f"{project.file.name} {where} (backend {self.name}{target}{default})"

    def problems(self) -> Sequence[Problem]:
        from azml_tasks.checks.azure import azure_problems

        return azure_problems(self._project)

    def check(self) -> None:
        from azml_tasks.checks.azure import check_workspace

        super().check()
        check_workspace(self._project)

    def check_request(self, request: RunRequest) -> None:
        super().check_request(request)
        if request.debugger:
            raise UnsupportedError("--pdb and --debugpy work only in local runs; select one with `--target`")
        if request.from_step or request.only:
            raise UnsupportedError(
                "--from-step and --only work only in local runs; on Azure ML, unchanged steps are reused anyway"
            )
