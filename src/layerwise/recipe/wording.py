"""The words of a recipe's errors: where a value stands, what its type asks for, which key is nearest."""

import difflib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect as shape

from layerwise.errors import RecipeError
from layerwise.recipe.records import LARGEST, MOST, Recipe


@lru_cache(maxsize=1)
def recipe_type() -> shape.Type:
    """The types of all settings, as msgspec describes them."""
    return shape.type_info(Recipe)


class Place:
    """Where the values stand: the file's name and text, to say "price.toml, line 7"."""

    def __init__(self, name: str = "", text: str = "") -> None:
        self.name = name
        self.lines = text.splitlines()

    def of(self, path: Sequence[str | int]) -> str:
        """The file and line of the key at `path`, as near as a scan of the text can tell."""
        line = 0
        for part in path:
            if isinstance(part, int):
                continue
            key = re.compile(rf'(^|[\s{{,."\'\[]){re.escape(part)}["\']?\s*(=|\.|\])')
            for number in range(line, len(self.lines)):
                if key.search(self.lines[number].split("#", 1)[0]):
                    line = number
                    break
            else:
                return self.name
        return f"{self.name}, line {line + 1}" if self.name and path else self.name


def dotted(path: Sequence[str | int]) -> str:
    """("train", "hidden", 0) as "train.hidden[0]"."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def nearest(name: str, valid: Sequence[str] | Mapping[str, Any]) -> str:
    """A remedy such as "did you mean 'epochs'?", or "" where nothing is near."""
    lower = {each.lower(): each for each in valid}
    found = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    found = found or [lower[each] for each in difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.6)]
    return f"did you mean {found[0]!r}?" if found else ""


def worded(error: msgspec.ValidationError, plain_recipe: Any, place: Place) -> RecipeError:
    """msgspec's message ("Expected `float` > 0.0 - at `$.train.l1`") as rule, received, remedy."""
    message, _, where = str(error).partition(" - at `")
    path = _steps(where, str(error), plain_recipe)
    value, kind = plain_recipe, recipe_type()
    for part in path:
        value = _at(value, part)
    if missing := re.search(r"missing required field `(\w+)`", message):
        return RecipeError(
            f"{dotted(path) or 'a recipe'} needs the key {missing[1]!r}",
            remedy=f"add {missing[1]} = ...",
            place=place.of(path),
        )
    expected, remedy = _expectation(kind, path, plain_recipe)
    if expected.startswith("a list, each item") and isinstance(value, int | float):
        remedy = f"a list stands in brackets: [{value}]"
    return RecipeError(
        f"{dotted(path)} must be {expected or message}",
        received=shown(value),
        remedy=(nearest(value, _literals(expected)) if isinstance(value, str) else "") or remedy,
        place=place.of(path),
    )


def _steps(where: str, message: str, plain_recipe: Any) -> list[str | int]:
    """The keys of "$.train.hidden[0]". For a key of a mapping msgspec writes "[...]": it is looked for."""
    path: list[str | int] = []
    value = plain_recipe
    for part in re.findall(r"\[[\d.]+\]|[^.\[\]$`]+", where):
        if part == "[...]":
            part = next((key for key in value if _alone(plain_recipe, path, key) == message), part)
        path.append(int(part[1:-1]) if re.fullmatch(r"\[\d+\]", part) else part)
        value = _at(value, path[-1])
    return path


def _alone(plain_recipe: Any, path: Sequence[str | int], key: str) -> str:
    """What msgspec says of the recipe whose mapping at `path` holds nothing but `key`."""
    try:
        msgspec.convert(_only(plain_recipe, path, key), Recipe)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _only(value: Any, path: Sequence[str | int], key: str) -> Any:
    """A copy of `value` whose mapping at `path` holds nothing but `key`."""
    if not path:
        return {key: value[key]}
    return {**value, path[0]: _only(value[path[0]], path[1:], key)}


def shown(value: Any) -> str:
    """A value as it is quoted in a message, cut to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _literals(expected: str) -> list[str]:
    return re.findall(r'"([^"]+)"', expected)


def _expectation(kind: shape.Type, path: Sequence[str | int], value: Any) -> tuple[str, str]:
    """What the type at `path` asks for, in words, and its remedy."""
    for part in path:
        kind = _below(kind, part, value)
        value = _at(value, part)
    return _in_words(kind, value)


def _at(value: Any, part: str | int) -> Any:
    """The value one level down, None where there is none."""
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _below(kind: shape.Type, part: str | int, value: Any) -> shape.Type:
    """The type one level down, choosing among variants by the value's own kind."""
    if isinstance(kind, shape.Metadata):
        return _below(kind.type, part, value)
    if isinstance(kind, shape.UnionType):
        tag = value.get("kind") if isinstance(value, dict) else None
        for member in kind.types:
            if isinstance(member, shape.StructType) and member.tag in (tag, None) and isinstance(value, dict):
                return _below(member, part, value)
            if isinstance(member, shape.VarTupleType | shape.DictType) and isinstance(part, int) == isinstance(
                member, shape.VarTupleType
            ):
                return _below(member, part, value)
        return shape.AnyType()
    if isinstance(kind, shape.StructType):
        return next((f.type for f in kind.fields if f.encode_name == part), shape.AnyType())
    if isinstance(kind, shape.VarTupleType):
        return kind.item_type
    if isinstance(kind, shape.TupleType) and isinstance(part, int):
        return kind.item_types[part]
    return kind.value_type if isinstance(kind, shape.DictType) else shape.AnyType()


def _in_words(kind: shape.Type, value: Any = None) -> tuple[str, str]:
    """What a type asks for, in words, and its remedy; how much a number can hold is said of a `value` beyond it."""
    match kind:
        case shape.Metadata():
            remedy = (kind.extra_json_schema or {}).get("description", "")
            most = getattr(kind.type, "le", None)
            if most in (MOST, LARGEST) and isinstance(value, float | int) and value > most:
                remedy = f"give at most {most:.10g}"
            return _in_words(kind.type, value)[0], remedy
        case shape.UnionType():
            words = [_in_words(t, value) for t in kind.types]
            remedy = next((r for _, r in words if r), "")
            literals = [
                w for member, (w, _) in zip(kind.types, words, strict=True) if isinstance(member, shape.LiteralType)
            ]
            return " or ".join(w for w, _ in words if w), ", or ".join([remedy, *literals] if remedy else [])
        case shape.FloatType() | shape.IntType():
            noun = "a number" if isinstance(kind, shape.FloatType) else "a whole number"
            bounds = [(">", kind.gt), (">=", kind.ge), ("<", kind.lt)]
            if kind.le not in (MOST, LARGEST) or (isinstance(value, float | int) and value > (kind.le or 0)):
                bounds.append(("<=", kind.le))
            return " ".join([noun, " and ".join(f"{s} {b:.10g}" for s, b in bounds if b is not None)]).strip(), ""
        case shape.LiteralType():
            return " or ".join(f'"{v}"' for v in kind.values), ""
        case shape.StrType():
            return "a text of the right form" if kind.pattern else "a text", ""
        case shape.BoolType():
            return "true or false", ""
        case shape.VarTupleType():
            inner = _in_words(kind.item_type)
            return f"a list, each item {inner[0] or 'a value'}", inner[1]
        case shape.TupleType():
            return f"a list of {len(kind.item_types)} values", ""
        case shape.DictType():
            return "a table", ""
        case shape.StructType():
            return f'"{kind.tag}"' if kind.tag_field else "a table", ""
        case _:
            return "", ""
