"""Finds classes by name in the modules of one package, so that adding one means adding one file.

There is no list to keep by hand: whatever public class is defined in a module of the package can be named in
a template, and nothing outside the package can.
"""

from __future__ import annotations

from typing import Any

from otx_seg.errors import UsageError


def classes(package: str) -> dict[str, type]:
    """The public classes defined in the modules of `package`, by class name.

    Args:
        package: import name of a package, such as ``"otx_seg.losses"``.
    """
    # Imported here, as difflib below: a listing of the templates needs this module, but none of these.
    import importlib
    import pkgutil

    found: dict[str, type] = {}
    for module_info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{module_info.name}")
        for name, value in vars(module).items():
            if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = value
    return found


def nearest(name: str, known: list[str]) -> str:
    """A hint naming the closest known name, or ten at most when none is close."""
    import difflib

    close = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    more = f" and {len(known) - 10} more" if len(known) > 10 else ""
    return f"known: {', '.join(sorted(known)[:10])}{more}"


def build(package: str, arguments: dict[str, Any], where: str) -> Any:
    """Construct the class that ``arguments["type"]`` names in `package` with the other arguments.

    Args:
        package: import name of the package that holds the class.
        arguments: ``{"type": ClassName, ...constructor arguments}``.
        where: the file and key to name in an error message.

    Raises:
        UsageError: no such class, or the class does not take these arguments.
    """
    known = classes(package)
    arguments = dict(arguments)
    name = arguments.pop("type", None)
    if name not in known:
        raise UsageError(f"{where}: unknown type {name!r}; {nearest(str(name), list(known))}")
    try:
        return known[name](**arguments)
    except TypeError as error:
        raise UsageError(f"{where}: {name} does not accept these arguments ({error})") from error
