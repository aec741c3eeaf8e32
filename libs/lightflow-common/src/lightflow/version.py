"""The release, also where Lightflow 1 had it."""

__version__ = "2.0.0"
"""As `major.minor.patch`."""
