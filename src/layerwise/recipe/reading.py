"""From whatever comes (a file, a built-in name, a mapping, a record) to a checked `Recipe`.

Constructing a typed record in Python validates nothing by itself, so everything passes through
`load`: shorthands are expanded, unknown keys refused with the nearest valid one, every value is
checked against its type, and the parts are checked against each other.
"""

import copy
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as shape

from layerwise.errors import RecipeError
from layerwise.recipe import rules
from layerwise.recipe.records import SCHEMA, Axis, Recipe
from layerwise.recipe.wording import Place, dotted, nearest, recipe_type, shown, worded

Source = Recipe | Mapping[str, Any] | str | os.PathLike[str]

TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")  # taken for recipes by those new to it
# A list of numbers as tomli_w writes it, an item a line; texts span no lines, so nothing of one can match.
_NUMBERS = re.compile(r"\[\n((?:\s*[-+\w.]+,\n)+)\s*\]")

MAX_BYTES = 1 << 20  # a recipe is a page of text; anything larger is something else


def load(source: Source, settings: Sequence[str] = ()) -> Recipe:
    """The checked recipe of `source`, with `settings` ("train.epochs=5") applied on top.

    `source` is a recipe, a mapping, the path of a TOML or JSON file, or a built-in name (see
    `builtin`). A relative `data.path` in a file is taken from the file's own folder.

    Raises `RecipeError` with the rule, the value received, the remedy and the line.

    >>> load("xor", ["train.epochs=5"]).train.epochs
    5
    """
    raw, place = _raw(source)
    if not settings:
        return decode(raw, place)
    try:
        return decode(_changed(raw, settings), Place(place.name))  # lines no longer tell where a value came from
    except RecipeError as error:
        raise _placed(error, raw, place, settings) from None


def read(text: str, name: str = "the recipe") -> Recipe:
    """The checked recipe of a text in TOML. Raises `RecipeError`, with the line of `name` where that is known."""
    try:
        return decode(_simple(tomllib.loads(text)), Place(name, text))
    except RecipeError:
        raise
    except ValueError as error:  # a TOMLDecodeError, or a number of thousands of digits
        raise _unreadable(error, "TOML") from None
    except RecursionError:
        raise RecipeError("a recipe is not nested that deep", received="too many brackets") from None


def decode(raw: Mapping[str, Any], place: Place | None = None) -> Recipe:
    """The checked recipe of a plain mapping."""
    place = place or Place()
    version = raw.get("layerwise", SCHEMA)
    if isinstance(version, int) and version > SCHEMA:
        raise RecipeError(
            f"this version reads recipes up to schema {SCHEMA}",
            received=f"layerwise = {version}",
            remedy="upgrade layerwise, or write the recipe for the older schema",
            place=place.of(["layerwise"]),
        )
    plain = _walk(recipe_type(), dict(raw), (), place)
    try:
        recipe = msgspec.convert(plain, Recipe)
    except msgspec.ValidationError as error:
        raise worded(error, plain, place) from None
    for path, problem in rules.check(recipe):
        raise RecipeError(
            f"{'.'.join(path)}: {problem.rule}",
            received=problem.received,
            remedy=problem.remedy,
            place=place.of(path),
        )
    return recipe


def plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe as nested dicts and lists, every value written out."""
    result: dict[str, Any] = msgspec.to_builtins(recipe, str_keys=True)
    return result


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML, every value written out.

    >>> load(tomllib.loads(to_toml(load("xor")))) == load("xor")
    True
    """
    import tomli_w

    tree = plain(recipe)
    for name in ("train", "search"):  # scalars stand before tables in TOML
        if isinstance(tree[name], str):
            tree = {name: tree.pop(name), **tree}
    text = tomli_w.dumps({"layerwise": tree.pop("layerwise"), "seed": tree.pop("seed"), **tree})
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())[:-1]}]", text)


def builtin() -> dict[str, str]:
    """The built-in recipes: name to TOML text, in the order of their names."""
    folder = resources.files("layerwise.recipe") / "builtin"
    texts = {f.name[:-5]: f.read_text("utf-8") for f in folder.iterdir() if f.name.endswith(".toml")}
    return dict(sorted(texts.items()))


def assign(raw: dict[str, Any], setting: str) -> None:
    """Apply one "key.path=value" to a plain recipe in place; the value is TOML, or else a text.

    >>> raw = {"train": {"epochs": 3}}
    >>> assign(raw, "train.optimizer=adamw"); assign(raw, "train.optimizer.beta1=0.8")
    >>> raw["train"]
    {'epochs': 3, 'optimizer': {'kind': 'adamw', 'beta1': 0.8}}
    """
    path, equals, text = setting.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise RecipeError(
            "a setting has the form key=value", received=repr(setting), remedy="e.g. --set train.epochs=20"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()
    put(raw, keys, value)


def put(raw: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    """Set the value at a path of a plain recipe, in place; what stands for defaults on the way is spelled out.

    A number as key counts the items of a list from 0.

    >>> raw = {"train": "auto", "network": {"kind": "mlp", "hidden": [64, 64]}}
    >>> put(raw, ["train", "epochs"], 3); put(raw, ["network", "hidden", "1"], 32)
    >>> raw
    {'train': {'epochs': 3}, 'network': {'kind': 'mlp', 'hidden': [64, 32]}}
    """
    node: Any = raw
    for key, after in pairwise(keys):
        if isinstance(node, list):
            node = node[_index(node, key)]
            continue
        child = node.get(key)
        if isinstance(child, str):
            child = {} if child in ("auto", "none") and key in ("train", "search") else {"kind": child}
        elif isinstance(child, list | tuple) and after.isdecimal():
            child = list(child)
        elif not isinstance(child, dict):
            child = {}
        node[key] = child
        node = child
    if isinstance(node, list):
        node[_index(node, keys[-1])] = value
    else:
        node[keys[-1]] = value


def _index(items: Sequence[Any], key: str) -> int:
    if not key.isdecimal() or int(key) >= len(items):
        raise RecipeError(
            f"a list of {len(items)} items is reached by a number from 0 to {len(items) - 1}",
            received=shown(key),
            remedy="give the whole list, or one of its places",
        )
    return int(key)


def _changed(raw: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A copy of a plain recipe with the settings applied."""
    tree = copy.deepcopy(raw)
    for setting in settings:
        assign(tree, setting)
    return tree


def _placed(error: RecipeError, raw: dict[str, Any], place: Place, settings: Sequence[str]) -> RecipeError:
    """The error of a recipe with settings, at its place: the file's line, or the setting that brought it in."""
    for count in range(len(settings) + 1):
        fault = _fault(raw, settings[:count], place)
        if fault is not None and (fault.rule, fault.received) == (error.rule, error.received):
            if count == 0:
                return fault
            own = f"the setting {settings[count - 1]}"
            return RecipeError(error.rule, received=error.received, remedy=error.remedy, place=own)
    return error


def _fault(raw: dict[str, Any], settings: Sequence[str], place: Place) -> RecipeError | None:
    """What is wrong with a plain recipe to which settings are applied."""
    try:
        decode(_changed(raw, settings), place)
    except RecipeError as error:
        return error
    return None


def check_duration(text: str) -> None:
    """Refuse what is no time limit, in the words in which a recipe's is refused. Raises `RecipeError`."""
    decode({"data": {"kind": "toy", "name": "xor"}, "train": {"time_limit": text}})


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


def _raw(source: Source) -> tuple[dict[str, Any], Place]:
    if isinstance(source, Recipe | Mapping):
        return _simple(source), Place()
    path = Path(source)
    if path.suffix.lower() in TABLES and os.path.isfile(source):
        raise RecipeError(
            "a recipe says what to learn from a table",
            received=f"the table {path.name} itself",
            remedy=f"let one be written, and train that: layerwise init {path.name} --target COLUMN > {path.stem}.toml",
        )
    if path.suffix in (".toml", ".json") or os.sep in str(source) or os.path.isfile(source):
        return _from_file(path)
    texts = builtin()
    name = str(source)
    if name in texts:
        return tomllib.loads(texts[name]), Place(f"built-in recipe {name}", texts[name])
    raise RecipeError(
        "a recipe is a TOML or JSON file, or the name of a built-in one",
        received=shown(name),
        remedy=nearest(name, texts) or "list the built-in ones with: layerwise recipes",
    )


def _simple(source: Recipe | Mapping[str, Any]) -> dict[str, Any]:
    """A recipe or mapping as new plain dicts and lists; paths become texts."""
    tree = source if isinstance(source, Recipe) else dict(source)
    try:
        simple: dict[str, Any] = msgspec.to_builtins(tree, str_keys=True, enc_hook=os.fspath)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecipeError(
            "a recipe holds texts, numbers, true and false, lists and tables",
            received=str(error),
            remedy="turn other objects into these first, e.g. float(x), x.tolist()",
        ) from None
    return simple


def _from_file(path: Path) -> tuple[dict[str, Any], Place]:
    name = path.name
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise RecipeError(
                "a recipe is a short text file",
                received=f"more than {MAX_BYTES} bytes",
                remedy="is this a data file? then: layerwise init FILE --target COLUMN",
                place=name,
            )
        text = data.decode("utf-8-sig")
        raw = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
    except RecipeError:
        raise
    except FileNotFoundError:
        raise RecipeError(
            "the recipe file must exist",
            received=repr(str(path)),
            remedy="check the path, or list the built-in recipes with: layerwise recipes",
        ) from None
    except OSError as error:
        raise RecipeError("the recipe file can be read", received=f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise _unreadable(error, "TOML (or JSON)", name) from None
    except RecursionError:
        raise RecipeError(
            "a recipe is not nested that deep", received="too many brackets", remedy="mend its brackets", place=name
        ) from None
    if not isinstance(raw, dict):
        raise RecipeError("a recipe is a table of keys", received=type(raw).__name__, place=name)
    _anchor(raw, path.parent)
    return raw, Place(name, text)


def _unreadable(error: ValueError, language: str, place: str = "") -> RecipeError:
    """What is said of a text that is none. What is not closed is noticed only where something else follows."""
    before = ", and begins there or before" if str(error).startswith(("Unclosed", "Unterminated")) else ""
    return RecipeError(
        f"a recipe is written in {language}",
        received=f"{error}{before}",
        remedy="mend that line; `layerwise recipes digits` prints a good example",
        place=place,
    )


def _anchor(raw: dict[str, Any], folder: Path) -> None:
    """Make relative paths of a recipe file relative to the file, not to where the user stands."""
    data = raw.get("data")
    if not isinstance(data, dict):
        return
    tables = [(data, "path")]
    if isinstance(split := data.get("split"), dict) and split.get("kind") == "given":
        tables += [(split, "validation"), (split, "test")]
    for table, key in tables:
        value = table.get(key)
        if isinstance(value, str) and value not in ("", "none") and "\0" not in value:
            table[key] = str((folder / os.path.expanduser(value)).absolute())


# ── shorthands and unknown keys ─────────────────────────────────────────────────────────────────


def _walk(kind: shape.Type, value: Any, path: tuple[str | int, ...], place: Place) -> Any:
    """Expand shorthands below `value` and refuse unknown keys; all else is left to msgspec."""
    match kind:
        case shape.Metadata():
            return _walk(kind.type, value, path, place)
        case shape.UnionType():
            return _walk_union(kind, value, path, place)
        case shape.StructType() if isinstance(value, dict):
            return _walk_struct(kind, value, path, place)
        case shape.StructType(cls=cls) if cls is Axis and isinstance(value, list | tuple):
            return {"choice": list(value)}
        case shape.VarTupleType() if isinstance(value, list | tuple):
            return [_walk(kind.item_type, item, (*path, i), place) for i, item in enumerate(value)]
        case shape.DictType() if isinstance(value, dict):
            return {key: _walk(kind.value_type, item, (*path, key), place) for key, item in value.items()}
        case _:
            return value


def _walk_union(kind: shape.UnionType, value: Any, path: tuple[str | int, ...], place: Place) -> Any:
    variants = {str(t.tag): t for t in kind.types if isinstance(t, shape.StructType) and t.tag_field}
    literals = {v for t in kind.types if isinstance(t, shape.LiteralType) for v in t.values}
    if isinstance(value, str) and (value in variants or (variants and not literals)):
        value = {"kind": value}
    if isinstance(value, dict) and variants:
        tag = value.get("kind")
        if not isinstance(tag, str) or tag not in variants:
            raise RecipeError(
                f"{dotted((*path, 'kind'))} names a variant that exists",
                received=shown(tag) if "kind" in value else "no kind",
                remedy=(nearest(tag, variants) if isinstance(tag, str) else "")
                or f"one of: {', '.join(sorted(variants))}",
                place=place.of((*path, "kind")) if "kind" in value else place.of(path),
            )
        return _walk_struct(variants[tag], value, path, place, variants)
    for member in kind.types:
        fits = (isinstance(member, shape.VarTupleType) and isinstance(value, list | tuple)) or (
            isinstance(member, shape.StructType | shape.DictType) and isinstance(value, dict)
        )
        if fits:
            return _walk(member, value, path, place)
    return value


def _walk_struct(
    kind: shape.StructType,
    value: dict[str, Any],
    path: tuple[str | int, ...],
    place: Place,
    variants: Mapping[str, shape.StructType] | None = None,
) -> Any:
    fields = {field.encode_name: field.type for field in kind.fields}
    known = [*fields, kind.tag_field] if kind.tag_field else list(fields)
    for key in value:
        if key not in known:
            raise RecipeError(
                f"{dotted(path) or 'a recipe'} has no key {shown(key)}" + (f" ({kind.tag})" if kind.tag else ""),
                received=dotted((*path, key)),
                remedy=(_below(kind, key) if not path else "")
                or nearest(key, known)
                or _elsewhere(key, variants or {})
                or f"valid keys: {', '.join(sorted(known))}",
                place=place.of((*path, key)),
            )
    defaults = {field.encode_name: field.default for field in kind.fields}
    result = {}
    for key, item in value.items():
        if isinstance(item, dict) and "kind" not in item and isinstance(defaults.get(key), msgspec.Struct):
            if tag := type(defaults[key]).__struct_config__.tag:
                item = {"kind": tag, **item}  # settings of the default variant, its kind left out
        result[key] = _walk(fields[key], item, (*path, key), place) if key in fields else item
    return result


def _elsewhere(key: str, variants: Mapping[str, shape.StructType]) -> str:
    """A remedy for a key that other variants have: "momentum" for the optimizers that have one."""
    having = [tag for tag, variant in variants.items() if any(key == field.encode_name for field in variant.fields)]
    return f"kinds that have it: {', '.join(sorted(having))}; set the kind, too" if having else ""


def _below(kind: shape.StructType, key: str) -> str:
    """A remedy for a key that belongs one level down: "epochs" for "train.epochs"."""
    for field in kind.fields:
        members = field.type.types if isinstance(field.type, shape.UnionType) else (field.type,)
        structs = [member for member in members if isinstance(member, shape.StructType)]
        if any(key == below.encode_name for struct in structs for below in struct.fields):
            return f"did you mean {field.encode_name}.{key}?"
    return ""
