"""Whatever stands in a recipe, the answer is a recipe or a `RecipeError` that says what to do."""

import random
import signal
import string
import tomllib

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.errors import RecipeError
from layerwise.recipe import Recipe, builtin, decode, load
from layerwise.recipe import records as r

TOY = {"data": {"kind": "toy", "name": "xor"}}
SECONDS = 60


@pytest.fixture
def alarm():
    """Nothing here takes long; what hangs is interrupted."""

    def hangs(number, frame):
        raise AssertionError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# ── two thousand malformed recipes ──────────────────────────────────────────────────────────────

VALUES = [
    "nan", "-inf", "inf", "0", "-1", "1e400", "9" * 400, "9" * 5000, "-0.0", "true", "[]", "{}", "[[]]", '""',
    "'none'", "'auto'", "1979-05-27", "1979-05-27T07:32:00Z", "[1, 'a', 2.5]", "{ kind = 5 }", "{ kind = 'mlp' }",
    "{ kind = 'sgd', kind = 'adam' }", "'\\u0000'", '"\\u0000"', "0x7fffffffffffffff", "'" + "x" * 3000 + "'",
    "[" * 60 + "]" * 60, "[" * 5000 + "]" * 5000, "{ a = " * 50 + "1" + " }" * 50, "'🦆'", "'~root/x'", "0.5", "3",
]  # fmt: skip
KEYS = [
    "kind",
    "epochs",
    "hidden",
    "weights",
    "data",
    "train",
    "search.space",
    "layerwise",
    "é",
    '"a b"',
    "''",
    "split",
]


def mutated(text: str, random: random.Random) -> str | bytes:
    """One to four injuries to a valid recipe."""
    for _ in range(random.randint(1, 4)):
        lines = text.splitlines() or [""]
        at = random.randrange(len(lines))
        line = lines[at]
        match random.randrange(9):
            case 0:  # another value
                lines[at] = line.partition("=")[0] + "= " + random.choice(VALUES)
            case 1:  # another key
                lines[at] = random.choice(KEYS) + " = " + (line.partition("=")[2] or "1")
            case 2:
                lines.insert(at, f"{random.choice(KEYS)} = {random.choice(VALUES)}")
            case 3:
                del lines[at]
            case 4:
                lines.append(line)
            case 5:
                lines.insert(at, f"[{random.choice(KEYS)}]")
            case 6:  # a value within an inline table
                parts = line.split(",")
                part = random.randrange(len(parts))
                parts[part] = parts[part].partition("=")[0] + "= " + random.choice(VALUES)
                lines[at] = ",".join(parts)
            case 7:  # a piece cut out
                place = random.randrange(len(line) + 1)
                lines[at] = line[:place] + line[place + random.randint(1, 6) :]
            case 8:
                place = random.randrange(len(line) + 1)
                lines[at] = line[:place] + random.choice(string.printable) + line[place:]
        text = "\n".join(lines)
    if random.random() < 0.1:  # a bit flipped anywhere
        data = bytearray(text.encode())
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        return bytes(data)
    return text


def garbage(random: random.Random) -> bytes:
    if random.random() < 0.5:
        return random.randbytes(random.randrange(200))
    return "".join(random.choices(string.printable + "é🦆\0", k=random.randrange(200))).encode()


def test_two_thousand_malformed_recipes(tmp_path, alarm):
    """Never anything but a recipe or a RecipeError, each with its rule and its file."""
    dice = random.Random(20)
    texts = list(builtin().values())
    refused = 0
    for number in range(2000):
        content = garbage(dice) if number % 10 == 0 else mutated(dice.choice(texts), dice)
        path = tmp_path / f"r.{'json' if number % 50 == 0 else 'toml'}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        try:
            assert isinstance(load(path), Recipe)
        except RecipeError as error:
            refused += 1
            assert error.rule
            assert error.received or error.remedy, str(error)
            assert path.name in error.place, str(error)
            assert len(str(error)) < 2000
    assert refused > 1200


def test_malformed_settings(alarm):
    dice = random.Random(21)
    paths = [
        "train.epochs",
        "train.optimizer",
        "network",
        "data.name",
        "seed",
        "a.b.c",
        "train.optimizer.beta1",
        "data",
    ]
    for _ in range(500):
        setting = dice.choice(paths) + dice.choice(["=", " = ", "", "=="]) + dice.choice(VALUES)
        if dice.random() < 0.3:
            setting = garbage(dice).decode("utf-8", "replace")
        try:
            assert isinstance(load("xor", [setting]), Recipe)
        except RecipeError as error:
            assert error.rule


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["mlp", "toy", "adam"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "hidden", "name", "split", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(["data", "task", "network", "train", "search", "seed", "layerwise"]), PLAIN)
def test_any_plain_data_in_any_place(key, value):
    try:
        assert isinstance(decode(TOY | {key: value}), Recipe)
    except RecipeError as error:
        assert error.rule


@pytest.mark.parametrize("key", ["optimizer", "schedule", "batch_size", "learning_rate", "time_limit", "l1"])
@given(value=PLAIN)
def test_any_plain_data_in_training(key, value):
    try:
        assert isinstance(decode(TOY | {"train": {key: value}}), Recipe)
    except RecipeError as error:
        assert error.rule


@pytest.mark.parametrize(
    "source",
    [
        "x" * 5000,
        "\0",
        "/\0",
        "",
        ".",
        "/",
        "no/such/file",
        "nosuchname",
        {},
        {"data": object()},
        {"data": {"kind": "toy", "name": "xor", "n": np.int64(5)}},
        Recipe(data=object()),
        Recipe(data=r.ToyData("xor", n=-5)),
        Recipe(data=r.ToyData("xor"), train=r.Train(epochs="many")),
    ],
    ids=lambda source: type(source).__name__,
)
def test_sources_that_are_none(source):
    with pytest.raises(RecipeError) as refused:
        load(source)
    assert refused.value.rule


def test_files_that_are_none(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "empty.toml").touch()
    (tmp_path / "large.toml").write_bytes(b"#" * (1 << 20) + b"\n")
    (tmp_path / "latin.toml").write_bytes("# für alle".encode("latin-1"))
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000)
    for path in [*tmp_path.iterdir(), tmp_path / "absent.toml", tmp_path / "empty.toml" / "x.toml"]:
        with pytest.raises(RecipeError) as refused:
            load(path)
        assert path.name in str(refused.value), path.name


# ── what cannot be ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "path",
    [
        "data.noise", "train.learning_rate", "train.l1", "train.optimizer.epsilon", "train.schedule.every",
        "task.delta", "network.activation.slope", "train.warmup",
    ],
)  # fmt: skip
def test_no_setting_is_infinite(path, number):
    raw = msgspec.to_builtins(TOY) | {
        "task": {"kind": "regress"},
        "network": {"kind": "mlp", "activation": {"kind": "leaky_relu"}},
        "train": {"optimizer": {"kind": "adam"}, "schedule": {"kind": "step"}},
    }
    node = raw
    for part in path.split(".")[:-1]:
        node = node[part]
    node[path.split(".")[-1]] = number
    with pytest.raises(RecipeError) as refused:
        decode(raw)
    assert path in refused.value.rule
    assert refused.value.received == repr(number)


def test_not_even_a_weight_by_hand():
    text = "data = { kind = 'toy', name = 'xor' }\nnetwork = { kind = 'linear', weights = [[[1, nan, 2]]] }"
    with pytest.raises(RecipeError, match=r"network\.weights: must be finite"):
        decode(tomllib.loads(text))
