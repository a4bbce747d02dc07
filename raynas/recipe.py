"""A person's Python files: recipes, whose functions return a `Search`, and others that return other things."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from raynas.errors import ConfigError, unknown
from raynas.settings import brief

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

    called, function = load_function(text, "recipe", "search")
    search = call(function, called)
    if not isinstance(search, Search):
        raise ConfigError(f"{called} must return a raynas.Search, but got {type(search).__name__}")
    return search


def load_function(text: str, kind: str, usual: str) -> tuple[str, Callable[..., Any]]:
    """A function of a person's Python file.

    Args:
        text: `path.py` (its one public function, or the one of the usual name) or `path.py:function`.
        kind: what the file is, for errors.
        usual: the function's name where none is said.

    Returns:
        How to call it in errors, and the function.

    Raises:
        ConfigError: the file is missing or fails to import, or the function is missing.
    """
    path_text, _, name = text.partition(":")
    module = _import(Path(path_text), kind)
    functions = {
        n: f
        for n, f in vars(module).items()
        if inspect.isfunction(f) and f.__module__ == module.__name__ and not n.startswith("_")
    }
    if not name:
        found = [n for n in functions if n == usual] or list(functions)
        if len(found) != 1:
            raise ConfigError(f"{kind} {path_text} has {len(found)} public functions: say which, {path_text}:NAME")
        name = found[0]
    if name not in functions:
        raise unknown(f"function of {kind} {path_text}", name, functions)
    return f"{kind} {path_text}:{name}", functions[name]


def call(function: Callable[..., Any], called: str, **arguments: Any) -> Any:
    """What a person's function returns.

    Raises:
        ConfigError: it fails.
    """
    try:
        return function(**arguments)
    except Exception as error:
        raise ConfigError(f"{called} fails: {_told(error)}") from error


def _import(path: Path, kind: str) -> ModuleType:
    try:
        found = path.is_file()
    except (OSError, ValueError):  # no file system could hold such a name
        found = False
    if not found:
        raise ConfigError(f"{kind} {brief(str(path))[1:-1]} does not exist")
    spec = importlib.util.spec_from_file_location(PREFIX + path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{kind} {path} is no Python file: its name must end with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise ConfigError(f"{kind} {path} fails to import: {_told(error)}") from error
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
