"""How every task of ours is made, and the one place where our errors become exit statuses."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

import invoke

from azml_tasks.errors import AzmlError

Body = TypeVar("Body", bound=Callable[..., Any])

TARGET = "Merge the keys of this target of pipeline.yaml over the file."
# A command in a sentence, unless it takes no target.
_COMMAND = re.compile(r"`invoke (?!new-step|runs\.prune)([a-z][\w.-]*)")


def task(**options: Any) -> Callable[[Body], invoke.Task[Body]]:
    """Make a task whose expected errors are printed as sentences.

    Invoke's own `-e` and `-f` would collide with short flags, so there are none.
    """

    def make(body: Body) -> invoke.Task[Body]:
        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return body(*args, **kwargs)
            except AzmlError as error:
                text = with_target(str(error), kwargs.get("target", ""))
                raise invoke.Exit(text, code=error.exit_status) from None

        made: invoke.Task[Body] = invoke.task(auto_shortflags=False, **options)(run)
        return made

    return make


def with_target(text: str, target: str) -> str:
    """Return the text with the target in the commands that it gives to go on with."""
    return _COMMAND.sub(lambda found: f"{found[0]} --target {target}", text) if target else text
