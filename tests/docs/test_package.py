"""What is published: four dependencies, everything else an extra, and pins for all that CI installs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    """Names of distributions, as a registry spells them."""
    return {re.split(r"[<>=!~ \[;]", line, maxsplit=1)[0].lower().replace("_", "-") for line in requirements}


def test_the_core_needs_four_packages() -> None:
    assert names(PROJECT["dependencies"]) == {"pytest", "numpy", "hypothesis", "pluggy"}


def test_nothing_is_pinned_for_users() -> None:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    assert [line for line in [*PROJECT["dependencies"], *extras] if "==" in line or "<" in line] == []


def test_ci_pins_all_that_it_installs() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = names([line for line in pins if not line.startswith("#")])
    for extra, lines in PROJECT["optional-dependencies"].items():
        assert names(lines) - pinned == set(), extra


def test_every_extra_is_installed_by_ci() -> None:
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    installed = re.search(r'-e "\.\[([\w,]+)\]"', run)
    assert installed is not None
    assert set(installed.group(1).split(",")) == set(PROJECT["optional-dependencies"])


@pytest.mark.slow
def test_the_wheel_holds_the_package_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"pytest_gradcheck", f"pytest_gradcheck-{PROJECT['version']}.dist-info"}
    assert "pytest_gradcheck/py.typed" in zipfile.ZipFile(wheel).namelist()
