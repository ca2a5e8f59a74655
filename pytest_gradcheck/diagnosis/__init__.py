"""Hypotheses about the cause of a wrong gradient, each small and testable alone."""

from .naming import diagnose

__all__ = ["diagnose"]
