"""Replay: the smallest file that repeats a check: the test's id, the seed, the settings, the inputs, the upstream.

A file is an `.npz` of numpy without pickles and without compression. Reading one runs no code of it: the name, type
and size of every member are looked at before an array is made, and what is not as written here is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from .errors import GradCheckError, InvalidInput
from .settings import DEFAULTS, SCALARS
from .target import Array

FORMAT, VERSION = "pytest-gradcheck replay", 1
#: Larger points are not saved: the test's own seed has to do.
MOST_BYTES = 256 << 20
#: What a member of the file may be called.
MEMBER = re.compile(r"(?:about|(?:input|argument|upstream)\.(?:0|[1-9]\d{0,4}))\.npy")
#: Settings that say how a check ends, not what it computes.
_LEFT_OUT = ("seed", "max_seconds", "inconclusive")


class BadReplay(GradCheckError, ValueError):  # noqa: N818 - named as the other errors of this package
    """A file is no replay file, is damaged, or is of another version."""


@dataclass(frozen=True, slots=True)
class Replay:
    """One check at one point.

    nodeid, call: the test, and the number of the check in it. layer: its name, for people.
    inputs: arrays that the test gave, by position; others (labels that are no array, nested inputs) come from the test.
    arguments: (name, value) of what was differentiated, parameters included. upstream: one array per output; empty
    where the check chose none. settings: scalar ones that are not the default.
    """

    nodeid: str
    call: int
    layer: str
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[int, Array] = field(default_factory=dict)
    arguments: Sequence[tuple[str, Array]] = ()
    upstream: Sequence[Array] = ()

    @property
    def size(self) -> int:
        """Bytes of all arrays, each counted once."""
        distinct = {id(array): array.nbytes for array in self._arrays()}
        return sum(distinct.values())

    @property
    def stem(self) -> str:
        """A file name that is the same each time this check fails."""
        readable = re.sub(r"[^A-Za-z0-9_-]+", "-", self.nodeid.rpartition("::")[2])[:40].strip("-")
        digest = hashlib.sha256(f"{self.nodeid}\n{self.call}".encode(errors="backslashreplace")).hexdigest()[:8]
        return f"{readable or 'test'}-{digest}"

    def _arrays(self) -> list[Array]:
        return [*self.inputs.values(), *(value for _, value in self.arguments), *self.upstream]


def chosen_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Of resolved settings, those that a file has to keep."""
    default = DEFAULTS
    kept = [word for word in SCALARS if word not in _LEFT_OUT and word in settings]
    return {word: settings[word] for word in kept if settings[word] != getattr(default, word)}


def can_be_saved(value: Any) -> bool:
    """Whether a value is an array of plain numbers."""
    return type(value) is np.ndarray and _is_plain(value.dtype)


def save(replay: Replay, folder: Path, root: Path) -> Path | None:
    """Write the file and a script of a few lines beside it, both atomically; None where the point is too large.

    root: the folder that the test's id starts from. The script is `replay-STEM.py`, a name that pytest takes for no
    test: it shows the arrays and runs the test.
    Raises OSError where nothing can be written.
    """
    if replay.size > MOST_BYTES or not all(_is_plain(array.dtype) for array in replay._arrays()):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{replay.stem}.npz"
    members, about = _members(replay)
    members["about"] = np.array(json.dumps(about))
    with _replacing(path) as file:
        np.savez(file, **members)
    with _replacing(path.with_name(f"replay-{path.stem}.py")) as file:
        file.write(script(path, root).encode())
    return path


def script(path: Path, root: Path) -> str:
    """A few lines of Python that show what was saved and run the test on it; every name in them is quoted."""
    return (
        f"# Repeats one gradient check, as does pytest --gradcheck-replay={path.name}\n"
        "import os\n"
        "import sys\n"
        "from pathlib import Path\n\n"
        "import pytest\n"
        "from pytest_gradcheck.replay import load\n\n"
        'if __name__ == "__main__":\n'
        f"    saved = Path(__file__).with_name({path.name!r}).resolve()\n"
        "    replay = load(saved)  # .inputs, .arguments and .upstream are arrays\n"
        '    print(replay.nodeid, "at", {name: value.shape for name, value in replay.arguments})\n'
        f"    os.chdir({str(root)!r})\n"
        '    sys.exit(pytest.main([f"--gradcheck-replay={saved}"]))\n'
    )


def load(path: Path) -> Replay:
    """The check that a file holds. Raises BadReplay with one sentence for whatever is not such a file."""
    try:
        with zipfile.ZipFile(path) as archive:
            about, arrays = _read(archive)
        return _made(about, arrays)
    except BadReplay as problem:
        raise BadReplay(f"{path} cannot be replayed: {problem}") from None
    except FileNotFoundError:
        raise BadReplay(f"{path} cannot be replayed: there is no such file") from None
    except (zipfile.BadZipFile, OSError, EOFError, MemoryError) as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise BadReplay(f"{path} cannot be replayed: it is damaged or no .npz file ({why})") from None
    except Exception as error:
        # zipfile, numpy and json raise many kinds of error for a file that was made to break them.
        raise BadReplay(f"{path} cannot be replayed: it is damaged ({type(error).__name__})") from None


def _members(replay: Replay) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays by member name, none of them twice, and what is said about them."""
    members: dict[str, Any] = {f"argument.{i}": value for i, (_, value) in enumerate(replay.arguments)}
    names = {id(value): f"argument.{i}" for i, (_, value) in enumerate(replay.arguments)}
    inputs = {}
    for position, value in replay.inputs.items():
        inputs[str(position)] = name = names.get(id(value), f"input.{position}")
        members[name] = value
    members |= {f"upstream.{i}": value for i, value in enumerate(replay.upstream)}
    about = {
        "format": FORMAT, "version": VERSION, "nodeid": replay.nodeid, "call": replay.call, "layer": replay.layer,
        "seed": replay.seed, "settings": dict(replay.settings), "inputs": inputs,
        "arguments": [name for name, _ in replay.arguments], "upstreams": len(replay.upstream),
    }  # fmt: skip
    return members, about


def _is_plain(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biufc" and not dtype.hasobject


def _read(archive: zipfile.ZipFile) -> tuple[dict[str, Any], dict[str, Array]]:
    arrays: dict[str, Array] = {}
    about: Any = None
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if not MEMBER.fullmatch(member.filename) or name in arrays:
            raise BadReplay(f"it has a member {member.filename[:60]!r} that no replay file has")
        if member.compress_type != zipfile.ZIP_STORED:
            raise BadReplay("it is compressed, and replay files are not")
        array = _array(archive, member, text=name == "about")
        if name == "about":
            about = json.loads(str(array))
        else:
            arrays[name] = array
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise BadReplay("it is an .npz file of something else")
    if about.get("version") != VERSION:
        raise BadReplay(f"it has version {about.get('version')!r:.20}, this package reads {VERSION}")
    return about, arrays


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, text: bool) -> Array:
    """One member, made only after its header has told a plain type and the very size that is there."""
    if member.file_size > MOST_BYTES + (1 << 16):
        raise BadReplay(f"it is larger than {MOST_BYTES >> 20} MiB")
    with archive.open(member) as file:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file)
        expected = dtype.itemsize * int(np.prod([int(n) for n in shape], dtype=object))
        if not (_is_plain(dtype) or (text and dtype.kind == "U" and shape == ())):
            raise BadReplay(f"its member {member.filename} is of type {dtype.str[:20]!r}, not numbers")
        if expected != member.file_size - file.tell():
            raise BadReplay(f"its member {member.filename} is shorter or longer than it says")
    with archive.open(member) as file:
        array: Array = npy.read_array(file, allow_pickle=False)
    return array


def _made(about: dict[str, Any], arrays: Mapping[str, Array]) -> Replay:
    nodeid, call, seed, layer = (about.get(key) for key in ("nodeid", "call", "seed", "layer"))
    if not isinstance(nodeid, str) or "::" not in nodeid or not isinstance(layer, str):
        raise BadReplay("it does not name a test")
    if any(type(number) is not int or number < 0 for number in (call, seed)):
        raise BadReplay("its seed and number are no whole numbers")
    settings = about.get("settings")
    if not isinstance(settings, dict) or not set(settings) <= set(SCALARS):
        raise BadReplay("it holds settings that do not exist")
    try:
        DEFAULTS.merged(settings)
    except (InvalidInput, TypeError) as error:
        raise BadReplay(f"its settings are unusable ({error})") from None
    try:
        return Replay(
            nodeid, int(str(call)), layer, int(str(seed)), settings,
            {int(position): arrays[name] for position, name in about["inputs"].items()},
            [(str(name), arrays[f"argument.{i}"]) for i, name in enumerate(about["arguments"])],
            [arrays[f"upstream.{i}"] for i in range(about["upstreams"])],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadReplay("its list of arrays does not fit the arrays in it") from None


class _replacing:  # noqa: N801 - used as a function
    """A file that takes its name when it is complete: a reader sees the old one or the new one, never a part."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f".{path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> IO[bytes]:
        self._file = self._part.open("wb")
        return self._file

    def __exit__(self, *problem: object) -> None:
        self._file.close()
        if problem[0] is None:
            self._part.replace(self._path)
        self._part.unlink(missing_ok=True)
