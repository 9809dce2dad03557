"""Export pipeline.yaml as YAML files for Azure ML v2 (CLI extension `ml`, package azure-ai-ml), without using
either."""

from azml_tasks.export.export import Export, export
from azml_tasks.export.folder import FOLDER, FileChange, write

__all__ = ["FOLDER", "Export", "FileChange", "export", "write"]
