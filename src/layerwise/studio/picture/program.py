"""What is played with as a command and as a program: the same recipe, trained to the same epoch."""

import json
import shlex
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from layerwise.errors import RecipeError
from layerwise.recipe import Recipe, load, plain
from layerwise.recipe import records as r
from layerwise.recipe.brief import brief
from layerwise.recipe.reading import builtin

WIDTH = 72  # letters of a line
BARE = '"'  # a setting's text needs no quotes


@lru_cache(maxsize=8)
def programs(toml: str, epochs: int, file: str = "") -> dict[str, str]:
    r"""A "command" for a shell and a program in "python" that train a recipe for so many epochs, as the page did.

    `file` is what its owner calls the file that it names; such a path begins at the workspace.

    >>> print(programs('data = { kind = "toy", name = "plane" }', 20)["python"])
    import layerwise
    <BLANKLINE>
    recipe = {
        "data": {"kind": "toy", "name": "plane"},
        "train": {"epochs": 20},
    }
    run = layerwise.train(recipe)
    print(run.model)
    <BLANKLINE>
    """
    recipe = load(tomllib.loads(toml))
    train = r.Train() if recipe.train == "auto" else recipe.train
    if isinstance(train, r.Train):
        recipe = msgspec.structs.replace(recipe, train=msgspec.structs.replace(train, epochs=max(1, epochs)))
    path = getattr(recipe.data, "path", "")
    told = f"# {path} is {file}; run this in the folder of the workspace\n" if file and path else ""
    return {"command": told + _command(recipe), "python": told + _python(recipe)}


def _command(recipe: Recipe) -> str:
    """From a built-in recipe of the same data, with what differs; else from the recipe's own file."""
    name = getattr(recipe.data, "name", "")
    if name in builtin():
        settings = [
            f"{path}={_toml(value).strip(BARE)}" for path, value in _differences(plain(recipe), plain(load(name)))
        ]
        try:
            same = load(name, settings) == recipe
        except RecipeError:
            same = False
        if same:
            return " \\\n  ".join([f"layerwise train {name}", *(f"--set {shlex.quote(each)}" for each in settings)])
    return "layerwise train recipe.toml"


def _differences(now: dict[str, Any], base: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Paths whose values differ from the base; what is of another kind as a whole."""
    for key, value in now.items():
        inner, before = f"{path}.{key}" if path else key, base.get(key)
        if isinstance(value, dict) and isinstance(before, dict) and value.get("kind") == before.get("kind"):
            yield from _differences(value, before, inner)
        elif value != before:
            yield inner, value


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        if set(value) == {"kind"}:
            return json.dumps(value["kind"])
        return "{" + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def _python(recipe: Recipe) -> str:
    return f"import layerwise\n\nrecipe = {_written(brief(recipe))}\nrun = layerwise.train(recipe)\nprint(run.model)\n"


def _written(value: Any, indent: str = "") -> str:
    """A value as Python, mappings over several lines where one is too long."""
    if not isinstance(value, dict):
        return (
            str(list(value))
            if isinstance(value, tuple)
            else json.dumps(value)
            if isinstance(value, str)
            else repr(value)
        )
    parts = [f"{json.dumps(key)}: {_written(part, indent + '    ')}" for key, part in value.items()]
    if indent and len(line := "{" + ", ".join(parts) + "}") + len(indent) <= WIDTH and "\n" not in line:
        return line
    return "{\n" + "".join(f"{indent}    {part},\n" for part in parts) + indent + "}"
