"""Checks packages that nobody of this project wrote, as they are installed from the registry."""
