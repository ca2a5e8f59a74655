"""The command that repeats one check: pasted into a shell it runs the same test with the same seed."""

from __future__ import annotations

import os
import shlex

import pytest

from pytest_gradcheck.plugin import SOURCES


def command(item: pytest.Item, nodeid: str, seed: int) -> str:
    """`pytest "path::test" --gradcheck-seed=N`, with every other setting that the command line had."""
    words = ["pytest", quoted(_from_here(item, nodeid))]
    command_line, _ = item.config.stash[SOURCES]
    for word, value in command_line.items():
        if word != "seed":
            words.append(f"--gradcheck-{word.replace('_', '-')}={shlex.quote(str(value))}")
    words += getattr(item, "gradcheck_words", ())
    # pytest-randomly seeds the generators that the test's inputs come from.
    if isinstance(shuffled := item.config.getoption("randomly_seed", None), int):
        words.append(f"--randomly-seed={shuffled}")
    return " ".join([*words, f"--gradcheck-seed={seed}"])


def quoted(nodeid: str) -> str:
    """The id in double quotes, which every shell knows; an id that a shell would read into is quoted for POSIX."""
    return shlex.quote(nodeid) if set(nodeid) & set('"$`\\!') else f'"{nodeid}"'


def _from_here(item: pytest.Item, nodeid: str) -> str:
    """The test's id with its path as seen from the directory in which pytest was started."""
    _, separator, name = nodeid.partition("::")
    try:
        path = os.path.relpath(item.path, item.config.invocation_params.dir)
    except ValueError:  # another drive
        path = str(item.path)
    return path.replace(os.sep, "/") + separator + name
