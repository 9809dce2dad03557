"""Errors that the tracking server answers with, in MLflow's form."""

from __future__ import annotations


class TrackingError(Exception):
    """A request is refused; `code` is one of MLflow's error codes, and `status` the HTTP status.

    MLflow repeats requests that are answered with 408, 429 or 5xx, for minutes: these are never used.
    """

    def __init__(self, message: str, code: str = "INVALID_PARAMETER_VALUE", status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def does_not_exist(what: str) -> TrackingError:
    """Return the error for a run, an experiment or a model that does not exist."""
    return TrackingError(f"{what} does not exist", "RESOURCE_DOES_NOT_EXIST", 404)


def refused(what: str, remedy: str) -> TrackingError:
    """Return the error for a part of MLflow that local runs do not have."""
    return TrackingError(f"{what} not available in local runs; {remedy}", "FEATURE_DISABLED")
