"""Differences: estimates of a derivative, each with its own error bar."""
