"""The wrapper API, with the real SDK: its own imports warn while tests are collected."""

from tests.azure.conftest import HAS_SDK

__all__ = ["HAS_SDK"]
