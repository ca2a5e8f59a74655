"""The environment of a run: what a reader of its report would ask for first."""

from __future__ import annotations

import platform
import time
from importlib.metadata import PackageNotFoundError, version

#: Packages whose versions matter to a gradient, where they are installed.
PACKAGES = (
    "pytest-gradcheck", "pytest", "numpy", "hypothesis", "pytest-xdist", "torch", "jax", "autograd", "pytensor",
)  # fmt: skip


def environment(command: str, began: float) -> dict[str, str]:
    """Names and values; began: seconds since the epoch."""
    found = {"command": command, "started": time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(began))}
    found["python"] = f"{platform.python_version()} ({platform.python_implementation()})"
    found["system"] = f"{platform.system()} {platform.release()}, {platform.machine()}"
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
