"""The Azure ML SDK v1: whether it is here, and keeping it quiet."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from importlib import metadata, util

from azml_tasks.azure.scope import SharedScope
from azml_tasks.errors import NotInstalledError

# Microsoft publishes azureml-pipeline-steps for Python below 3.12 only; pip falls back to a release of 2019 there.
NEWEST_PYTHON = (3, 11)
OLDEST_SDK = (1, 61)

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
    """Keep the SDK's warnings and log messages from the user while it works for us, in whichever thread.

    What fails becomes an error of ours. Everything is logged when the user has turned logging to DEBUG.
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


_quiet_scope = SharedScope()


def _check_installed() -> None:
    from azml_tasks.needs import install_command

    install = install_command()
    if sys.version_info[:2] > NEWEST_PYTHON:
        have = ".".join(map(str, sys.version_info[:3]))
        raise NotInstalledError(
            f"Azure ML's SDK v1 runs on Python 3.10 and 3.11, and this is Python {have}: "
            f"make an environment with Python 3.11 and run {install} in it"
        )
    missing = [name for name in _MODULES if not _is_there(name)]
    if missing:
        raise NotInstalledError(f"this needs Azure ML's SDK v1, which is not installed: run {install}")
    version = metadata.version("azureml-core")
    if tuple(map(int, version.split(".")[:2])) < OLDEST_SDK:
        oldest = ".".join(map(str, OLDEST_SDK))
        raise NotInstalledError(f"azureml-core {version} is older than {oldest}, which this needs: run {install}")


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
