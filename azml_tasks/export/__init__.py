"""pipeline.yaml as the YAML files of Azure ML v2 (CLI extension `ml`, package azure-ai-ml), made without either."""

from azml_tasks.export.export import Export, export
from azml_tasks.export.folder import FOLDER, Change, write

__all__ = ["FOLDER", "Change", "Export", "export", "write"]
