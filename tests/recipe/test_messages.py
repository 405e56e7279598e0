"""What a recipe's reader says: the rule, what came, what to do, and on which line."""

import pytest

from layerwise.errors import RecipeError
from layerwise.recipe import decode, load, read

TEXT = """\
# a comment that names epochs = 3
layerwise = 1

[data]
kind = "table"
path = "rows.csv"
target = "price"
[data.columns]
area = "numeric"
[data.split]
kind = "group"
by = "owner"

[network]
kind = "mlp"
hidden = [8, 4]
activation = ["tanh", { kind = "leaky_relu", slope = 0.1 }]

[train]
epochs = 20
optimizer = { kind = "adam", beta1 = 0.9 }
schedule = { kind = "step", every = 5 }
l1 = 0.01

[search]
trials = 4
[search.space]
"train.l1" = { log = [1e-5, 1e-1] }
"""


def line_of(fragment):
    """The one line of TEXT that holds `fragment`."""
    found = [number for number, line in enumerate(TEXT.splitlines(), start=1) if fragment in line]
    assert len(found) == 1
    return found[0]


def refusal(tmp_path, old, new):
    assert TEXT.count(old) == 1
    (tmp_path / "price.toml").write_text(TEXT.replace(old, new))
    with pytest.raises(RecipeError) as refused:
        load(tmp_path / "price.toml")
    return refused.value


def test_the_text_is_a_recipe(tmp_path):
    (tmp_path / "price.toml").write_text(TEXT)
    assert load(tmp_path / "price.toml").train.epochs == 20


@pytest.mark.parametrize(
    ("old", "new", "rule", "nearest"),
    [
        ("\nepochs = 20", "\nepoch = 20", "train has no key 'epoch'", "epochs"),
        ("hidden =", "hiden =", "network has no key 'hiden' (mlp)", "hidden"),
        ("beta1 = 0.9", "beta_1 = 0.9", "train.optimizer has no key 'beta_1' (adam)", "beta1"),
        ("every = 5", "evry = 5", "train.schedule has no key 'evry' (step)", "every"),
        ("slope = 0.1", "slop = 0.1", "network.activation[1] has no key 'slop' (leaky_relu)", "slope"),
        ("by = ", "bye = ", "data.split has no key 'bye' (group)", "by"),
        ("log = ", "logg = ", "search.space.train.l1 has no key 'logg'", "log"),
        ("trials = 4", "trial = 4", "search has no key 'trial'", "trials"),
        ("[train]", "[trian]", "a recipe has no key 'trian'", "train"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one_and_its_line(tmp_path, old, new, rule, nearest):
    error = refusal(tmp_path, old, new)
    assert error.rule == rule
    assert error.remedy == f"did you mean {nearest!r}?"
    assert error.place == f"price.toml, line {line_of(old.strip())}"


def test_a_key_like_none_is_answered_with_all(tmp_path):
    error = refusal(tmp_path, "trials = 4", "qqq = 4")
    assert error.remedy == "valid keys: halving, method, space, trials"


@pytest.mark.parametrize(
    ("old", "new", "rule", "received", "remedy"),
    [
        ("\nepochs = 20", "\nepochs = 0", "train.epochs must be a whole number >= 1", "0", "at least 1"),
        ("\nepochs = 20", "\nepochs = 2.5", "train.epochs must be a whole number >= 1", "2.5", "at least 1"),
        ("\nepochs = 20", "\nepochs = 3000000000", "train.epochs must be a whole number >= 1 and <= 2147483647", "3000000000", "at most 2147483647"),  # noqa: E501
        ("l1 = 0.01", "l1 = 1e39", "train.l1 must be a number >= 0 and <= 3.4e+38", "1e+39", ""),
        ("l1 = 0.01", "l1 = -1", "train.l1 must be a number >= 0", "-1", "zero (off) or more"),
        ("l1 = 0.01", "dropout = 1", "train.dropout must be a number >= 0 and < 1", "1", "probability"),
        ("l1 = 0.01", 'l1 = "much"', "train.l1 must be a number >= 0", "'much'", "zero (off) or more"),
        ("l1 = 0.01", "learning_rate = 0", 'train.learning_rate must be a number > 0 or "auto" or "find"', "0", "above zero"),  # noqa: E501
        ("l1 = 0.01", "time_limit = 'soon'", "train.time_limit must be a text", "'soon'", "1h30m"),
        ("l1 = 0.01", 'monitor = "acuracy"', "train.monitor must be", "'acuracy'", "'accuracy'"),
        ("hidden = [8, 4]", "hidden = [8, 0]", "network.hidden[1] must be a whole number >= 1", "0", "at least 1"),
        ("hidden = [8, 4]", "hidden = 8", "network.hidden must be a list, each item a whole number >= 1", "8", ""),
        ("beta1 = 0.9", "beta1 = 1.5", "train.optimizer.beta1 must be a number >= 0 and < 1", "1.5", "such as 0.9"),
        ('"tanh", {', '"tahn", {', "network.activation[0].kind names a variant that exists", "'tahn'", "'tanh'"),
        ('kind = "adam"', 'kind = "adamm"', "train.optimizer.kind names a variant that exists", "'adamm'", "'adam'"),
        ('kind = "group"', "", "data.split has no key 'by' (auto)", "", "kinds that have it: given, group, time"),
        ('area = "numeric"', 'area = "number"', 'data.columns.area must be "', "'number'", "'numeric'"),
        ('area = "numeric"', 'area = "dat"', 'data.columns.area must be "', "'dat'", "'date'"),
        ('area = "numeric"', 'area = { kind = "dat" }', "data.columns.area.kind names a variant", "'dat'", "'date'"),
        ('area = "numeric"', 'area = { form = "auto" }', "data.columns.area.kind names a variant", "no kind", "date"),
        ('area = "numeric"', 'area = { kind = "date", form = "day/mont/year" }', 'data.columns.area.form must be "', "'day/mont/year'", "'day/month/year'"),  # noqa: E501
        ('area = "numeric"', 'area = { kind = "date", fmt = "%d" }', "data.columns.area has no key 'fmt' (date)", "fmt", "form"),  # noqa: E501
        ('area = "numeric"', "area = 3", 'data.columns.area must be "', "3", ""),
        ('path = "rows.csv"', "", "data needs the key 'path'", "", "add path = ..."),
        ("[1e-5, 1e-1]", "[1e-1, 1e-5]", "search.space.train.l1: a range is [low, high]", "[0.1, 1e-05]", "smaller first"),  # noqa: E501
        ("layerwise = 1", "layerwise = 2", "this version reads recipes up to schema 1", "layerwise = 2", "upgrade"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_the_rule_and_its_line(tmp_path, old, new, rule, received, remedy):
    error = refusal(tmp_path, old, new)
    assert error.rule.startswith(rule)
    assert received in error.received
    assert remedy in error.remedy
    if new and "columns" not in rule and "activation" not in rule:
        assert error.place == f"price.toml, line {line_of(old.strip())}"


def test_broken_toml_is_told_with_its_line(tmp_path):
    error = refusal(tmp_path, "trials = 4", "trials = ")
    assert "written in TOML" in error.rule
    assert f"line {line_of('trials')}" in error.received


def test_a_text_is_told_by_its_line_as_a_file_is():
    with pytest.raises(RecipeError) as refused:
        read(TEXT.replace("l1 = 0.01", "l_1 = 0.01"))
    assert refused.value.place == f"the recipe, line {line_of('l1 = 0.01')}" and "'l1'" in refused.value.remedy
    with pytest.raises(RecipeError, match="begins there or before"):
        read(TEXT.replace("hidden = [8, 4]", "hidden = [8, 4"))


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        ({"split": {"kind": "random", "validation": 0.6, "test": 0.5}}, "leave rows to train on"),
        ({"split": {"kind": "kfold", "folds": 3, "fold": 4}}, "folds count from 1 to 3"),
        ({"split": {"kind": "kfold", "fold": 0}}, "data.split.fold"),
        ({"split": {"kind": "given"}}, "names a column or files"),
        ({"split": {"kind": "given", "by": "part", "test": "t.csv"}}, "not both"),
    ],
)
def test_splits_that_cannot_be(part, rule):
    with pytest.raises(RecipeError, match=rule):
        decode({"data": {"kind": "toy", "name": "xor"} | part})


MLP = {"kind": "mlp", "hidden": [2]}


@pytest.mark.parametrize(
    ("network", "received"),
    [
        (MLP | {"weights": [[[0, 1, 1], [0, 1, 1]]]}, "1 matrices"),
        (MLP | {"weights": [[[0, 1, 1]], [[0, 1, 1]]]}, "layer 1: 1 rows"),
        (MLP | {"weights": [[[0, 1, 1], [0, 1]], [[0, 1, 1]]]}, r"layer 1: rows of \[2, 3\] numbers"),
        (MLP | {"weights": [[[0, 1, 1], [0, 1, 1]], [[0, 1]]]}, "layer 2: 2 numbers a row"),
        (MLP | {"weights": [[], []]}, "layer 1: rows of no numbers"),
        ({"kind": "linear", "weights": [[[1]]]}, r"layer 1: rows of \[1\] numbers"),
    ],
)
def test_weights_by_hand_must_chain(network, received):
    with pytest.raises(RecipeError, match=received):
        decode({"data": {"kind": "toy", "name": "xor"}, "network": network})


@pytest.mark.parametrize("key", ["activation", "output"])
def test_steps_cannot_be_trained(key):
    raw = {"data": {"kind": "toy", "name": "xor"}, "network": MLP | {key: "step"}}
    with pytest.raises(RecipeError, match="derivative is zero"):
        decode(raw)
    assert decode(raw | {"train": "none"})


@pytest.mark.parametrize("key", ["dropout", "input_dropout", "noise"])
def test_lbfgs_wants_no_chance(key):
    with pytest.raises(RecipeError, match="same loss at every look"):
        decode({"data": {"kind": "toy", "name": "xor"}, "train": {"optimizer": "lbfgs", key: 0.1}})


@pytest.mark.parametrize(("key", "instead"), [("clip", "line search"), ("max_norm", "l2"), ("weight_decay", "l2")])
def test_lbfgs_follows_the_loss_alone(key, instead):
    raw = {"data": {"kind": "toy", "name": "xor"}, "train": {"optimizer": "lbfgs", key: 0.1}}
    with pytest.raises(RecipeError, match="follows the loss alone") as refused:
        decode(raw)
    assert refused.value.rule.startswith(f"train.{key}: ")
    assert refused.value.received == f"{key} = 0.1"
    assert instead in refused.value.remedy and "adam" in refused.value.remedy
    assert decode({**raw, "train": {"optimizer": "lbfgs", key: 0.0, "l1": 0.1, "l2": 0.1}})
    assert decode({**raw, "train": {"optimizer": "adam", key: 0.1}})


@pytest.mark.parametrize("activation", ["noisy_relu", ["tanh", "noisy_relu"]])
def test_lbfgs_wants_no_noisy_activation(activation):
    network = {"kind": "mlp", "hidden": [3, 3], "activation": activation}
    raw = {"data": {"kind": "toy", "name": "xor"}, "network": network, "train": {"optimizer": "lbfgs"}}
    with pytest.raises(RecipeError, match="same loss at every look") as refused:
        decode(raw)
    assert refused.value.rule.startswith("network.activation: ")
    assert "noisy_relu" in refused.value.received and "relu" in refused.value.remedy
    assert decode({**raw, "train": {}})
    assert decode({**raw, "network": {"hidden": [], "activation": "noisy_relu"}})  # no layer that has it


def test_a_list_of_choices_needs_no_further_word():
    raw = {"data": {"kind": "toy", "name": "xor"}, "search": {"space": {"train.dropout": [0.0, 0.1]}}}
    assert decode(raw) == decode({**raw, "search": {"space": {"train.dropout": {"choice": [0.0, 0.1]}}}})
    with pytest.raises(RecipeError):
        decode({**raw, "search": {"space": {"train.dropout": []}}})


@pytest.mark.parametrize("content", ["", "species,mass\nAdelie,3750\n"])
def test_a_table_is_no_recipe(content, tmp_path):
    (tmp_path / "birds.csv").write_text(content)
    with pytest.raises(RecipeError) as refused:
        load(tmp_path / "birds.csv")
    assert refused.value.received == "the table birds.csv itself"
    assert "layerwise init birds.csv --target COLUMN > birds.toml" in refused.value.remedy


def test_an_empty_recipe_is_told_what_it_needs(tmp_path):
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(RecipeError) as refused:
        load(tmp_path / "empty.toml")
    assert refused.value.rule == "a recipe needs the key 'data'"


def test_a_text_of_another_form_is_not_said_to_be_none():
    raw = {"data": {"kind": "toy", "name": "xor"}, "train": {"time_limit": "5x"}}
    with pytest.raises(RecipeError, match="must be a text of the right form") as refused:
        decode(raw)
    assert '"90s"' in refused.value.remedy


def test_built_in_names_are_suggested():
    with pytest.raises(RecipeError) as refused:
        load("digit")
    assert refused.value.remedy == "did you mean 'digits'?"


# ── features and drawn points ───────────────────────────────────────────────────────────────────

XOR = [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("data", "rule", "remedy"),
    [
        ({"features": ["x1", "x1^3"]}, "data.features[1] must be", "did you mean 'x1^2'?"),
        ({"features": ["x1", "sin(x1)"]}, "data.features[1] must be", "did you mean 'sin(3*x1)'?"),
        ({"features": []}, "data.features must be a list", 'e.g. features = ["x1", "x2", "x1*x2"]'),
        ({"features": ["x2", "x1"]}, "each feature stands once, in the order x1, x2", 'write ["x1", "x2"]'),
        ({"features": ["x1", "x1"]}, "each feature stands once", 'write ["x1"]'),
        ({"points": XOR[:3]}, "data.points must be a list", "give from 4 to 1024 points"),
        ({"points": [[0, 0]] * 4}, "data.points[0] must be a list of 3 values", ""),
        ({"points": [*XOR, [float("nan"), 0, 0]]}, "data.points[4][0] must be a number", "give a number from -100"),
        ({"points": [*XOR, [0, 101, 0]]}, "data.points[4][1] must be a number", "give a number from -100"),
        ({"points": [*XOR, [0, 0, float("nan")]]}, "data.points[4][2] must be a number", "up to a million"),
        ({"points": [*XOR, [0, 0, "b"]]}, "data.points[4][2] must be a number", "up to a million"),
        ({"points": [*XOR, [0, 0, 2]]}, "a point's third number is that of its class: 0, 1", "name that class"),
        ({"points": [*XOR, [0, 0, 0.5]]}, "a point's third number is that of its class: 0, 1", "name that class"),
        ({"points": [[0, 0, 1]] * 4}, "the points are of at least two classes", "add points of another"),
        ({"classes": ["a", "a"]}, "each class has a name of its own", "rename one of them"),
        ({"classes": list("abcdefghi")}, "data.classes must be a list", "give up to 8 classes"),
    ],
)
def test_features_and_points_that_cannot_be(data, rule, remedy):
    points = {"kind": "points", "points": XOR, "classes": ["a", "b"]}
    with pytest.raises(RecipeError) as refused:
        load({"data": points | data})
    assert rule in refused.value.rule and remedy in refused.value.remedy
