"""Schedule a published pipeline: one schedule a name, replaced and never doubled."""

from __future__ import annotations
