"""Reading recipes: the examples of the design, round trips, shorthands, and messages with the right line."""

import json
import math
import tomllib
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from msgspec import inspect as shape

from layerwise.errors import RecipeError
from layerwise.recipe import assign, builtin, decode, load, plain, to_toml
from layerwise.recipe import records as r

# ── the examples of the design ──────────────────────────────────────────────────────────────────

XOR_BY_HAND = """
# the lecture's XOR, weights set by hand; no [train]: the given weights are evaluated
layerwise = 1
data = { kind = "toy", name = "xor", n = 4, split = { kind = "none" } }
[network]
kind = "mlp"
hidden = [2]
activation = "step"
output = "step"
weights = [ [[-0.5, 1, -1], [-0.5, -1, 1]], [[-0.5, 1, 1]] ]   # per layer, one row per unit: [bias, w1, w2]
"""
DIGITS = """
# digits with a search
layerwise = 1
data = { kind = "named", name = "digits" }
network = { kind = "mlp", hidden = [64] }
train = { epochs = 30, patience = 5 }
[search]
method = "random"
trials = 64
halving = true
[search.space]
"train.learning_rate" = { log = [1e-4, 1e-1] }
"train.dropout" = { uniform = [0, 0.5] }
"network.hidden" = { choice = [[32], [64], [128, 64]] }
"""
PHOTOS = """
layerwise = 1
data = { kind = "images", path = "photos", size = [32, 32] }
task = { kind = "reconstruct", corrupt = "gaussian", amount = 0.2 }
network = { kind = "conv_autoencoder", channels = [32, 64], latent = 128 }
train = { schedule = "cosine", time_limit = "10m" }
"""
REVIEWS = """
layerwise = 1
data = { kind = "text", path = "reviews.csv", text = "review", target = "label", split = { kind = "group", by = "author" } }
network = { kind = "lstm", hidden = 128, pool = "max" }
train = { optimizer = "adamw", dropout = 0.4, clip = 1, epochs = 20, patience = 3 }
"""  # noqa: E501
ECG = """
layerwise = 1
data = { kind = "ecg", path = "mitdb", lead = "MLII", split = { kind = "group", by = "patient", validation = 0.2, test = 0.2 } }
task = { kind = "classify", class_weight = "balanced" }
network = { kind = "cnn", channels = [32, 64], kernel = 7, hidden = [64] }
train = { dropout = 0.3, epochs = 40, patience = 6, monitor = "macro_f1" }
"""  # noqa: E501
EXAMPLES = {"xor": XOR_BY_HAND, "digits": DIGITS, "photos": PHOTOS, "reviews": REVIEWS, "ecg": ECG}


def read(text):
    return decode(tomllib.loads(text))


def test_the_designs_examples_say_what_they_say():
    xor = read(XOR_BY_HAND)
    assert xor.data == r.ToyData("xor", 4, split=r.NoSplit())
    assert xor.network.weights == (((-0.5, 1, -1), (-0.5, -1, 1)), ((-0.5, 1, 1),))
    assert (xor.network.activation, xor.network.output, xor.train) == (r.Step(), "step", "auto")
    digits = read(DIGITS)
    assert digits.search.space["train.learning_rate"] == r.Axis(log=(1e-4, 1e-1))
    assert digits.search.space["network.hidden"].choice == ([32], [64], [128, 64])
    assert (digits.search.trials, digits.search.halving) == (64, True)
    photos = read(PHOTOS)
    assert photos.train.schedule == r.CosineRate()
    assert photos.task == r.Reconstruct("gaussian", 0.2)
    reviews = read(REVIEWS)
    assert reviews.data.split == r.GroupSplit("author")
    assert (reviews.train.optimizer, reviews.train.clip) == (r.AdamW(), 1)
    ecg = read(ECG)
    assert (ecg.task.class_weight, ecg.train.monitor, ecg.network.kernel) == ("balanced", "macro_f1", 7)


POINTS = [[0.5, -1.0, 0.0], [-1.5, 0.25, 1.0], [0.0, 1.0, 0.0], [1e-3, 2e10 / 1e10, 1.0]]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_designs_examples_come_back_from_toml_with_every_value(name, tmp_path):
    recipe = read(EXAMPLES[name])
    assert read(to_toml(recipe)) == recipe
    assert load(recipe) == recipe
    (tmp_path / "recipe.json").write_text(json.dumps(plain(recipe)))
    again = load(tmp_path / "recipe.json")
    if hasattr(recipe.data, "path"):
        assert Path(again.data.path) == tmp_path / recipe.data.path
        again = msgspec.structs.replace(again, data=msgspec.structs.replace(again.data, path=recipe.data.path))
    assert again == recipe


def test_lists_of_numbers_stand_on_one_line():
    """A recipe of a thousand points is read by people, too; what stands in texts is left alone."""
    text = "a [\n    1,\n]"
    recipe = decode({"data": {"kind": "points", "classes": [text, "b"], "points": POINTS}, "seed": 3})
    lines = to_toml(recipe).splitlines()
    assert "    [-1.5, 0.25, 1.0]," in lines and read(to_toml(recipe)) == recipe
    assert not [line for line in lines if line.strip(" ,").replace(".", "").isdecimal()]


# ── random recipes of every variant ─────────────────────────────────────────────────────────────

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
NUMBERS = st.floats(-1e6, 1e6) | st.integers(-9, 9).map(float)
SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.49])
AXES = st.one_of(
    st.just({"log": [1e-4, 0.1]}),
    st.just({"uniform": [-1, 0.5]}),
    st.just({"int": [1, 9]}),
    st.lists(st.integers(0, 9) | TEXTS | st.lists(st.integers(1, 64)), min_size=1, max_size=3).map(
        lambda values: {"choice": values}
    ),
)
# What rules between the parts ask for, so that not every other recipe is refused.
OWN = {
    "layerwise": st.just(1),
    "validation": SHARES,
    "test": SHARES,
    "fold": st.just(1),
    "weights": st.just([]),
    "points": st.lists(st.tuples(*[st.floats(-100, 100)] * 2, st.sampled_from([0.0, 1.0])).map(list), max_size=20).map(
        lambda rows: [[0.5, -1, 0.0], [1, 2, 1.0], [0, 1, 0], [1, 1, 1], *rows]
    ),
    "classes": st.lists(TEXTS, min_size=2, max_size=8, unique=True) | st.just([]),
    "features": st.sets(st.sampled_from(get_args(r.Feature)), min_size=1).map(
        lambda chosen: [feature for feature in get_args(r.Feature) if feature in chosen]
    ),
    "search.space": st.dictionaries(TEXTS, AXES, max_size=3),
    "time_limit": st.sampled_from(["none", "90s", "1h30m", "2.5m", "10ms"]),
}


def values(kind: shape.Type, name: str = "") -> st.SearchStrategy:
    """Any value of a type, as plain data."""
    if name in OWN:
        return OWN[name]
    match kind:
        case shape.Metadata():
            return values(kind.type, name)
        case shape.UnionType():
            return st.one_of([values(member) for member in kind.types])
        case shape.LiteralType():
            return st.sampled_from(kind.values)
        case shape.StructType() if kind.cls is r.GivenSplit:
            return st.sampled_from([{"kind": "given", "by": "part"}, {"kind": "given", "test": "t.csv"}])
        case shape.StructType():
            return structs(kind)
        case shape.FloatType():
            above = 0.0 if kind.gt is None else math.nextafter(kind.gt, math.inf)
            below = 1e6 if kind.lt is None and kind.le is None else 0.999
            return st.floats(kind.ge if kind.ge is not None else above, below)
        case shape.IntType():
            least, most = kind.ge or 0, kind.le or (kind.lt or 100_000) - 1
            return st.integers(least, min(most, least + 100_000))
        case shape.BoolType():
            return st.booleans()
        case shape.StrType():
            return TEXTS
        case shape.VarTupleType():
            return st.lists(values(kind.item_type), min_size=1, max_size=3)
        case shape.TupleType():
            return st.tuples(*map(values, kind.item_types)).map(list)
        case shape.DictType():
            return st.dictionaries(TEXTS, values(kind.value_type), max_size=3)
    raise AssertionError(kind)


def structs(kind: shape.StructType) -> st.SearchStrategy:
    """Any subset of the optional keys of a record, and all those it needs."""
    own = {f.encode_name: "search.space" if kind.cls is r.Search else f.encode_name for f in kind.fields}
    keys = {
        f.encode_name: values(f.type, own[f.encode_name] if f.encode_name in OWN or f.name == "space" else "")
        for f in kind.fields
    }
    needed = {f.encode_name for f in kind.fields if f.required}
    tag = {kind.tag_field: st.just(kind.tag)} if kind.tag_field else {}
    return st.fixed_dictionaries(
        {key: value for key, value in keys.items() if key in needed} | tag,
        optional={key: value for key, value in keys.items() if key not in needed},
    )


RECIPES = values(shape.type_info(r.Recipe))


def check_round_trip(raw):
    try:
        recipe = decode(raw)
    except RecipeError:
        reject()  # its parts do not fit together
    text = to_toml(recipe)
    assert read(text) == recipe
    assert to_toml(read(text)) == text
    assert decode(json.loads(json.dumps(plain(recipe)))) == recipe
    assert load(recipe) == recipe
    return recipe


@settings(max_examples=200)
@given(RECIPES)
def test_random_recipes_come_back_from_toml(raw):
    check_round_trip(raw)


TOY = {"data": {"kind": "toy", "name": "xor"}}
PLACES = {
    "data": (r.Data, lambda value: {"data": value}),
    "split": (r.Split, lambda value: {"data": TOY["data"] | {"split": value}}),
    "task": (r.Task, lambda value: TOY | {"task": value}),
    "network": (r.Network, lambda value: TOY | {"network": value}),
    "activation": (
        r.Activation,
        lambda value: TOY | {"network": {"kind": "mlp", "activation": value}, "train": "none"},
    ),
    "optimizer": (r.Optimizer, lambda value: TOY | {"train": {"optimizer": value}}),
    "schedule": (r.Schedule, lambda value: TOY | {"train": {"schedule": value}}),
}


@pytest.mark.parametrize(
    ("place", "variant"), [(place, variant) for place, (union, _) in PLACES.items() for variant in union.__args__]
)
@settings(max_examples=10)
@given(data=st.data())
def test_every_variant_comes_back_from_toml(place, variant, data):
    value = data.draw(values(shape.type_info(variant)))
    recipe = check_round_trip(PLACES[place][1](value))
    assert f"{variant.__name__}(" in repr(recipe)


# ── shorthands and settings ─────────────────────────────────────────────────────────────────────


def test_a_bare_name_is_the_variant_with_its_defaults():
    short = decode(
        TOY | {"network": "mlp", "task": "classify", "train": {"optimizer": "lion", "schedule": "one_cycle"}}
    )
    assert short.network == r.Mlp()
    assert short.task == r.Classify()
    assert (short.train.optimizer, short.train.schedule) == (r.Lion(), r.OneCycleRate())
    several = decode(
        TOY | {"network": {"kind": "mlp", "hidden": [2, 2], "activation": ["tanh", {"kind": "elu", "alpha": 2}]}}
    )
    assert several.network.activation == (r.Tanh(), r.Elu(2.0))


def test_settings_of_the_default_variant_need_no_kind():
    recipe = decode(
        {"data": {"kind": "toy", "name": "xor", "split": {"test": 0.5}}, "train": {"optimizer": {"beta1": 0.5}}}
    )
    assert recipe.data.split == r.AutoSplit(test=0.5)
    assert recipe.train.optimizer == r.Adam(beta1=0.5)
    assert decode(TOY | {"network": {"hidden": [3]}}).network == r.Mlp(hidden=(3,))


@pytest.mark.parametrize(
    ("given_settings", "found"),
    [
        (["train.epochs=5"], lambda recipe: recipe.train.epochs == 5),
        (["train.epochs = 5", "train.epochs=6"], lambda recipe: recipe.train.epochs == 6),
        (["train.optimizer=sgd"], lambda recipe: recipe.train.optimizer == r.Sgd()),
        (["train.optimizer=momentum", "train.optimizer.momentum=0.5"], lambda x: x.train.optimizer == r.Momentum(0.5)),
        (["network.hidden=[7, 5]"], lambda recipe: recipe.network.hidden == (7, 5)),
        (["network=linear"], lambda recipe: recipe.network == r.LinearNet()),
        (["train=none"], lambda recipe: recipe.train == "none"),
        (["seed=7", 'data={ kind = "toy", name = "or" }'], lambda x: (x.seed, x.data) == (7, r.ToyData("or"))),
    ],
)
def test_settings_are_applied(given_settings, found):
    assert found(load("xor", given_settings))


def test_settings_leave_what_was_given_untouched():
    given_raw = {"data": {"kind": "toy", "name": "xor"}, "train": {"epochs": 3}}
    load(given_raw, ["train.epochs=9", "seed=1"])
    assert given_raw == {"data": {"kind": "toy", "name": "xor"}, "train": {"epochs": 3}}


def test_a_wrong_setting_is_named_and_a_wrong_file_keeps_its_line(tmp_path):
    file = tmp_path / "some.toml"
    file.write_text('data = { kind = "toy", name = "xor" }\n[train]\nepochs = 3\n')
    with pytest.raises(RecipeError, match=r"did you mean train\.epochs\?") as error:
        load(file, ["seed=3", "epochs=5"])
    assert error.value.place == "the setting epochs=5"
    with pytest.raises(RecipeError, match="at most 2147483647") as error:
        load(file, ["train.epochs=3000000000"])
    assert error.value.place == "the setting train.epochs=3000000000"
    file.write_text('data = { kind = "toy", name = "xor" }\n[train]\nepochs = 0\n')
    with pytest.raises(RecipeError) as error:
        load(file, ["seed=3"])
    assert error.value.place == "some.toml, line 3"
    assert load(file, ["train.epochs=1"]).train.epochs == 1
    with pytest.raises(RecipeError) as error:
        load(file, ["train.epochs=-5"])
    assert (error.value.received, error.value.place) == ("-5", "the setting train.epochs=-5")
    with pytest.raises(RecipeError) as error:
        load("xor", ["train.optimizer=sgd", "train.optimizer.momentum=0.9", "train.epochs=0"])
    assert error.value.place == "the setting train.optimizer.momentum=0.9"
    with pytest.raises(RecipeError) as error:
        load("xor", ["network.hidden=[8, 8]", "network.hidden.1=4", "seed=-1"])
    assert error.value.place == "the setting seed=-1"
    with pytest.raises(RecipeError) as error:
        load(file, ["train.epochs=1", "seed=-1"])
    assert error.value.rule.startswith("seed must be")


@pytest.mark.parametrize("setting", ["", "train.epochs", "=5", "train..epochs=5", ".=1", "train.epochs.deep=5"])
def test_malformed_settings_are_refused(setting):
    with pytest.raises(RecipeError):
        load("xor", [setting])


def test_assign_makes_what_is_missing():
    raw: dict = {}
    assign(raw, "train.schedule.factor=0.5")
    assign(raw, "data=iris")
    assert raw == {"train": {"schedule": {"factor": 0.5}}, "data": "iris"}


# ── files ───────────────────────────────────────────────────────────────────────────────────────


def test_relative_paths_are_from_the_files_folder(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    (tmp_path / "sub").mkdir()
    text = 'data = { kind = "table", path = "../rows.csv", target = "y", split = { kind = "given", test = "t.csv" } }'
    (tmp_path / "sub" / "r.toml").write_text(text)
    data = load(tmp_path / "sub" / "r.toml").data
    assert Path(data.path).resolve() == (tmp_path / "rows.csv").resolve()
    assert data.split == r.GivenSplit(test=str(tmp_path / "sub" / "t.csv"))
    absolute = tmp_path / "elsewhere.csv"
    (tmp_path / "r.toml").write_text(text.replace("../rows.csv", str(absolute)))
    assert load(str(tmp_path / "r.toml")).data.path == str(absolute)


@pytest.mark.parametrize("path", ["~", "~/x.csv", "~nobody-of-that-name/x.csv", "a//b", "..", "ü.csv"])
def test_any_path_is_taken(tmp_path, path):
    (tmp_path / "r.toml").write_text(f'data = {{ kind = "table", path = "{path}", target = "y" }}', "utf-8")
    assert Path(load(tmp_path / "r.toml").data.path).is_absolute()


def test_a_byte_order_mark_is_no_error(tmp_path):
    (tmp_path / "r.toml").write_bytes(b"\xef\xbb\xbf" + builtin()["xor"].encode())
    assert load(tmp_path / "r.toml") == load("xor")


def test_paths_in_python_may_be_paths():
    recipe = load({"data": {"kind": "table", "path": Path("rows.csv"), "target": "y"}})
    assert recipe.data.path == "rows.csv"
