"""Our own plugin manager: it works without pytest, so that a notebook finds the same adapters."""

from __future__ import annotations

from functools import cache

import pluggy

PROJECT = "pytest_gradcheck"

hookimpl = pluggy.HookimplMarker(PROJECT)


@cache
def manager() -> pluggy.PluginManager:
    """The manager of this process, with every installed package of the entry point group "pytest_gradcheck"."""
    from . import hookspecs

    created = pluggy.PluginManager(PROJECT)
    created.add_hookspecs(hookspecs)
    created.load_setuptools_entrypoints(PROJECT)
    return created


#: What was forwarded, with the manager it came from.
_forwarded: list[tuple[pluggy.PluginManager, object]] = []


def forward(plugin: object, source: pluggy.PluginManager) -> bool:
    """Register a plugin of another manager with ours if it carries our mark; whether it does."""
    if not carries_mark(plugin):
        return False
    if not manager().is_registered(plugin):
        # Every conftest has the same module name, and two sessions of one process may load the same file.
        manager().register(plugin, f"{getattr(plugin, '__file__', plugin)} {id(plugin)}")
        _forwarded.append((source, plugin))
    return True


def withdraw(source: pluggy.PluginManager) -> None:
    """Take back what was forwarded from a manager whose session ends."""
    for entry in [entry for entry in _forwarded if entry[0] is source]:
        manager().unregister(entry[1])
        _forwarded.remove(entry)


def carries_mark(plugin: object) -> bool:
    """Whether an attribute named `gradcheck_...` was marked by our `hookimpl`."""
    names = (name for name in dir(plugin) if name.startswith("gradcheck_"))
    return any(hasattr(getattr(plugin, name, None), f"{PROJECT}_impl") for name in names)
