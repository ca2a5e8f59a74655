"""Suites: one test per layer and clause, one class per layer, and chains of layers."""
