"""The Azure ML SDK v1: whether it is installed, and contexts that silence it for as long as any thread needs them."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from importlib import metadata, util

from azml_tasks.errors import NotInstalledError


class RefCountedContext:
    """Enter a context when its first user starts, and leave it when the last one ends.

    Process-wide changes, such as handlers and filters, would be restored incorrectly if overlapping blocks of several
    threads each restored them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._stack = contextlib.ExitStack()

    @contextlib.contextmanager
    def held(self, context: contextlib.AbstractContextManager[object]) -> Iterator[None]:
        """Use the scope for a block; `context` is entered by the first user only."""
        with self._lock:
            if self._holders == 0:
                self._stack.enter_context(context)
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0:
                    self._stack.close()


_MODULES = ("azureml.core", "azureml.pipeline.core", "azureml.pipeline.steps", "azure.identity")
# Read once, when azureml.telemetry is imported: the switch that turns its sending off (logger/_abstract_event_logger).
_NO_TELEMETRY = "HBI_WORKSPACE_JOB"
_LOGGERS = ("azureml", "azure", "msrest", "msal", "urllib3")
_CHATTY = r"(azureml|azure|msrest|msrestazure|msal|adal|paramiko|cryptography|jwt|knack|requests|pkg_resources)(\.|$)"


def require_sdk() -> None:
    """Import the SDK, without its telemetry and its warnings.

    Raises NotInstalledError with the command that installs it, or with the Python that it needs.
    """
    if all(name in sys.modules for name in _MODULES):
        return
    _check_installed()
    with warnings.catch_warnings(), _variable(_NO_TELEMETRY, "true"):
        warnings.simplefilter("ignore")
        for name in _MODULES:
            importlib.import_module(name)


def quiet() -> contextlib.AbstractContextManager[None]:
    """Hide the SDK's warnings and log messages while we use it, in all threads.

    Failures become our errors. Everything is logged if the log level is DEBUG.
    """
    return _quiet_scope.held(_silenced())


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    last_resort = logging.lastResort
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=_CHATTY)
        # Some of its loggers are cut off from their parents and have no handler, so that this one writes to stderr.
        logging.lastResort = logging.NullHandler()
        for logger in loggers:
            if logger.getEffectiveLevel() > logging.DEBUG:
                logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logging.lastResort = last_resort
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)


_quiet_scope = RefCountedContext()


def _check_installed() -> None:
    from azml_tasks.packages import OLDEST_SDK, SDK_PYTHON, install_command

    install = install_command("azure")
    if sys.version_info[:2] > SDK_PYTHON:
        have = ".".join(map(str, sys.version_info[:3]))
        raise NotInstalledError(
            f"Azure ML's SDK v1 supports Python 3.10 and 3.11, but this is Python {have}: create an environment with "
            f"Python 3.11 and run {install} in it"
        )
    missing = [name for name in _MODULES if not _is_there(name)]
    if missing:
        raise NotInstalledError(f"Azure ML's SDK v1 is not installed: run {install}")
    version = metadata.version("azureml-core")
    if tuple(map(int, version.split(".")[:2])) < OLDEST_SDK:
        oldest = ".".join(map(str, OLDEST_SDK))
        raise NotInstalledError(f"azureml-core {version} is too old; {oldest} or later is required: run {install}")


def _is_there(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


@contextlib.contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable that the user has not set, for as long as the block runs."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
