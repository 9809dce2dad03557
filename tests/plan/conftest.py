from __future__ import annotations

from tests.reading.pipeline_file import load, problems

__all__ = ["load", "problems"]
