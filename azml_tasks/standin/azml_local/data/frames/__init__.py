"""Tables as pandas frames, with the types that Azure ML gives them."""

from .read import read

__all__ = ["read"]
