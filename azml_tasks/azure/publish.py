"""Publish a pipeline: one published pipeline a content, one endpoint whose default moves."""

from __future__ import annotations
