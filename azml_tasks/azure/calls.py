"""What every call of the SDK is wrapped in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from azml_tasks.azure.sdk import quiet, require_sdk


@contextlib.contextmanager
def service_calls(doing: str, secrets: Iterable[str] = ()) -> Iterator[None]:
    """Use the SDK within this block: it is there, keeps quiet, survives faults, and fails with errors of ours.

    `doing` starts the sentence of a failure, such as `registering the datastore 'raw'`; nothing of `secrets` stays in
    one. Blocks nest, and cost nothing then. Raises NotInstalledError, LoginError, ServiceError.
    """
    require_sdk()
    from azml_tasks.azure.failures import translated
    from azml_tasks.azure.transport import steady

    with quiet(), steady(), translated(doing, secrets):
        yield
