"""Two folders of installed packages, pytest in both, this plugin in one: what an entry point costs is in what differs.

Links to the packages that are installed here stand in for an installation, so that nothing is downloaded. The plugin's
own metadata are written as a wheel's would be: pytest reads the list of its files at every start.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "pytest_gradcheck"
METADATA = "Metadata-Version: 2.1\nName: pytest-gradcheck\nVersion: 0.1.0\n"
ENTRY = "[pytest11]\ngradcheck = pytest_gradcheck.plugin\n"


@contextmanager
def sites() -> Iterator[tuple[Path, Path]]:
    """A folder with pytest and the plugin, one with pytest alone."""
    with tempfile.TemporaryDirectory(prefix="sites") as folder:
        both = Path(folder, "with"), Path(folder, "without")
        for site in both:
            site.mkdir()
            for each in needed("pytest"):
                link(each, site)
        install(both[0])
        yield both


def needed(name: str, found: dict[str, Distribution] | None = None) -> list[Distribution]:
    """A distribution and what it requires, where that is installed."""
    found = {} if found is None else found
    key = name.lower().replace("_", "-")
    if key not in found:
        try:
            found[key] = distribution(name)
        except PackageNotFoundError:
            return list(found.values())
        for requirement in found[key].requires or ():
            word = re.match(r"[\w.-]+", requirement)
            if word is not None and "extra ==" not in requirement:
                needed(word[0], found)
    return list(found.values())


def link(one: Distribution, site: Path) -> None:
    """Everything of a distribution that stands directly in its folder of packages."""
    top = {Path(file).parts[0] for file in one.files or ()} - {"..", "__pycache__"}
    for name in top:
        target = site / name
        if not target.exists():
            target.symlink_to(Path(str(one.locate_file(name))))


def install(site: Path) -> None:
    """The plugin, as a wheel would be installed."""
    (site / "pytest_gradcheck").symlink_to(PACKAGE)
    info = site / "pytest_gradcheck-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA, encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRY, encoding="utf-8")
    files = [f"pytest_gradcheck/{path.relative_to(PACKAGE).as_posix()}" for path in sorted(PACKAGE.rglob("*.py"))]
    own = [f"{info.name}/{name}" for name in ("METADATA", "entry_points.txt", "RECORD")]
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in [*files, *own]), encoding="utf-8")
