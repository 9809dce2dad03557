"""What a handler is given: the request, the state, and the workspace that the path names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from .message import Answer, Refusal, Request, reply
from .state import State, Workspace, workspace_key

if TYPE_CHECKING:
    from .service import Service


@dataclass
class Call:
    """One request on its way through a handler."""

    request: Request
    service: Service
    scope: Mapping[str, str]
    """The subscription, group and workspace of the path."""

    @property
    def state(self) -> State:
        return self.service.state

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace of the path; refuses with the service's 404 where there is none."""
        key = workspace_key(self.scope["subscription"], self.scope["group"], self.scope["workspace"])
        found = self.state.workspaces.get(key)
        if found is None:
            raise Refusal(
                404,
                "ResourceNotFound",
                f"The Resource 'Microsoft.MachineLearningServices/workspaces/{self.scope['workspace']}' "
                f"under resource group '{self.scope['group']}' was not found.",
            )
        return found

    @property
    def json(self) -> Any:
        return self.request.json()

    def refuse(self, document: Any, status: int) -> NoReturn:
        """Refuse with a document of our own making."""
        refusal = Refusal(status, "", "")
        refusal.answer = reply(document, status)
        raise refusal


def page(call: Call, items: Sequence[Any], size_name: str = "pageSize") -> dict[str, Any]:
    """Answer with one page of a list; the token of the next one is the index where it starts."""
    query = call.request.query
    start = int(query.get("continuationToken") or query.get("continuation") or 0)
    stop = start + int(query.get(size_name) or 100)
    return {"value": list(items[start:stop]), "continuationToken": str(stop) if stop < len(items) else None}


def missing(what: str) -> Refusal:
    """Refuse because something is not there."""
    return Refusal(404, "NotFound", f"{what} was not found.")


def answer_of(result: Any) -> Answer:
    """Make an answer of what a handler gave: an answer, a document, or None for an empty 200."""
    if isinstance(result, Answer):
        return result
    return Answer() if result is None else reply(result)
