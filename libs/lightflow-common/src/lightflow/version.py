"""The release, where Lightflow 1 had it."""

from lightflow import __version__

__all__ = ["__version__"]
