"""The operations of the service, a module for each part of it."""

from __future__ import annotations

from . import computes, datastores, deployments, environments, login, workspaces

__all__ = ["computes", "datastores", "deployments", "environments", "login", "workspaces"]
