"""Recipe files: Python functions that return a `Search`."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from raynas.errors import ConfigError, unknown

if TYPE_CHECKING:
    from raynas.search import Search

PREFIX = "raynas_recipe_"
"""Recipe modules are named so; no worker can import them, so Ray ships what they define by value."""


def load_recipe(text: str) -> Search:
    """The search that a recipe returns.

    Args:
        text: `path.py` (its one public function, or `search`) or `path.py:function`.

    Raises:
        ConfigError: the file is missing or fails to import, or the function is missing, fails or returns no Search.
    """
    from raynas.search import Search

    path_text, _, name = text.partition(":")
    module = _import(Path(path_text))
    functions = {
        n: f
        for n, f in vars(module).items()
        if inspect.isfunction(f) and f.__module__ == module.__name__ and not n.startswith("_")
    }
    if not name:
        found = [n for n in functions if n == "search"] or list(functions)
        if len(found) != 1:
            raise ConfigError(f"recipe {path_text} has {len(found)} public functions: say which, {path_text}:NAME")
        name = found[0]
    if name not in functions:
        raise unknown(f"function of recipe {path_text}", name, functions)
    try:
        search = functions[name]()
    except Exception as error:
        raise ConfigError(f"recipe {path_text}:{name} fails: {_told(error)}") from error
    if not isinstance(search, Search):
        raise ConfigError(f"recipe {path_text}:{name} must return a raynas.Search, but got {type(search).__name__}")
    return search


def _import(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"recipe {path} does not exist")
    spec = importlib.util.spec_from_file_location(PREFIX + path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"recipe {path} is no Python file: its name must end with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise ConfigError(f"recipe {path} fails to import: {_told(error)}") from error
    return module


def _told(error: BaseException) -> str:
    """Error and line, in one line."""
    frame, line = error.__traceback__, 0
    while frame is not None:
        line, frame = frame.tb_lineno, frame.tb_next
    if isinstance(error, SyntaxError):
        line = error.lineno or line
    first = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return f"{type(error).__name__}: {first} (line {line})"
