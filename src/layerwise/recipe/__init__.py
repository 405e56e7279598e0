"""The recipe: one frozen, typed description of an experiment, in TOML on disk."""

from layerwise.recipe.reading import Source, assign, builtin, check_duration, decode, load, plain, put, read, to_toml
from layerwise.recipe.records import Recipe

__all__ = [
    "Recipe",
    "Source",
    "assign",
    "builtin",
    "check_duration",
    "decode",
    "load",
    "plain",
    "put",
    "read",
    "to_toml",
]
