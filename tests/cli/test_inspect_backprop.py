"""`layerwise inspect backprop` and `gradcheck`, as a user types them, on whatever a user may have."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from layerwise.cli import main

KINDS = {
    "weights by hand, steps": ["xor-by-hand"],
    "perceptron": ["perceptron-xor"],
    "perceptron of classes": ["iris", "--set", 'network={kind="perceptron"}', "--set", "train.epochs=1"],
    "classes, L-BFGS": ["wine", "--set", 'train.optimizer="lbfgs"', "--set", "train.weight_decay=0"],
    "regression, noisy ReLU, dropout": [
        "diabetes", "--set", 'network.activation="noisy_relu"', "--set", "train.dropout=0.2"
    ],
    "no hidden layer, rate to be found": [
        "iris", "--set", 'network={kind="linear"}', "--set", 'train.learning_rate="find"'
    ],
}  # fmt: skip


def out_of(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["inspect", *words]) == code
    out, err = capsys.readouterr()
    assert err == "" or "done" in err
    return out


@pytest.mark.parametrize("name", KINDS)
def test_of_every_kind_of_network(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A batch on the terminal; the stages come in their order, the update last."""
    out = out_of(capsys, "backprop", *KINDS[name])
    places = [out.index(word) for word in ("Forward\n", "Loss\n", "Backward\n", "Gradients, and the step")]
    assert places == sorted(places)
    assert ("in the training part" if "perceptron" in name else "training rows") in out  # its batch is one row
    assert re.search("differ by .* at most|agree exactly", " ".join(out.split()))
    assert max(map(len, out.splitlines())) < 125


@pytest.mark.parametrize("name", KINDS)
def test_one_example_as_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(out_of(capsys, "backprop", *KINDS[name], "--example", "2", "--json"))
    assert found["difference"] < 1e-9
    assert len(found["x"]) == 1 and found["layers"][0]["error"].keys() == {"worked", "automatic", "difference"}


def test_a_step_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the derivative of a step is 0 everywhere" in " ".join(out_of(capsys, "backprop", "xor-by-hand").split())


def test_the_row_in_the_user_s_own_words(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Row 4 of rows.csv is 3,0.429,red,no: its number is left out, the last is the target. The run is trained."""
    out = out_of(capsys, "backprop", "first", "--example", "4")
    assert "4 of 60" in out and "row        weight 0.429, color red\n" in out and "answer no" in out
    assert "trained; the optimizer's step is its first" in out
    assert out != out_of(capsys, "backprop", "rows.toml", "--example", "4")


def test_a_regression_says_its_units_and_the_target_in_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Row 3 of the diabetes data has a progression of 141."""
    recipe = KINDS["regression, noisy ReLU, dropout"]
    out = out_of(capsys, "backprop", *recipe, "--example", "3")
    assert "target     progression 141 (standardized -0.1911)" in out
    assert "units of the target's standard deviation: y = (progression - " in " ".join(out.split())
    found = json.loads(out_of(capsys, "backprop", *recipe, "--example", "3", "--json"))
    own = found["own_unit"]
    assert own["columns"] == ["progression"] and own["y"] == [[pytest.approx(141, abs=1e-4)]]
    assert own["predicted"][0][0] == pytest.approx(found["predicted"][0][0] * own["scale"][0] + own["mean"][0])
    assert f"{own['predicted'][0][0]:.6g}" in out and own["equations"][0] in " ".join(out.split())
    assert json.loads(out_of(capsys, "backprop", "xor-by-hand", "--json"))["own_unit"] is None

    file = tmp_path / "sheet.html"
    out_of(capsys, "backprop", *recipe, "--html", str(file))
    assert own["equations"][0] in file.read_text("utf-8") and "mean target" in file.read_text("utf-8")


def test_a_large_network_says_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    out = out_of(capsys, "backprop", "digits", "--example", "1")
    assert "... and 54 units with smaller errors" in out
    assert f"... and {64 * 65 - 24:,} weights and biases" in out
    assert "--json has every number" in out and len(out.splitlines()) < 160
    assert "--json" not in out_of(capsys, "backprop", "xor-by-hand")


def table_with_categories(folder: Path) -> str:
    """A column of 30 categories, which is embedded, one of numbers with gaps, and two targets."""
    random = np.random.default_rng(0)
    rows = [f"k{n % 30},{random.normal():.3f},{n % 2},{int(n % 3 == 0)}" for n in range(90)]
    (folder / "many.csv").write_text("\n".join(["kind,size,a,b", *rows]) + "\n")
    (folder / "many.toml").write_text(
        'data = { kind = "table", path = "many.csv", target = ["a", "b"] }\ntask = "multilabel"\n'
        'network = { kind = "mlp", hidden = [3] }\ntrain = { epochs = 1, l1 = 0.01, clip = 1.0 }\n'
    )
    return str(folder / "many.toml")


def test_embedded_categories_and_several_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = table_with_categories(tmp_path)
    out = out_of(capsys, "backprop", recipe, "--example", "5")
    assert "kind k4" in out and "embedding 1: " in out and "1 of them looked up" in out
    assert "penalties" in out and "clipping" in out
    found = json.loads(out_of(capsys, "backprop", recipe, "--json"))
    assert len(found["tables"]) == 1 and found["difference"] < 1e-9
    assert "embedding 1" in out_of(capsys, "gradcheck", recipe)


@pytest.mark.parametrize("what", [["digits", "--example", "1"], KINDS["regression, noisy ReLU, dropout"]])
def test_a_page(what: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "sheet.html"
    assert out_of(capsys, "backprop", *what, "--html", str(file)) == ""
    page = file.read_text("utf-8")
    assert page.count("<svg") == 1 and "∂E/∂z_j" in page and "<h2>Backward</h2>" in page
    assert len(page) < 200_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["backprop", "xor", "--example", "0"], "counted from 1"),
        (["backprop", "xor", "--example", "401"], "from 1 to 400"),
        (["backprop", "digits", "--set", "network.hidden=[2000,2000]", "--json"], "up to 2,000,000 weights"),
        (["backprop", "xor", "--html", "no/such/x.html"], "in a folder that exists"),
        (["backprop", "xor", "--set", 'network={kind="lstm"}'], "this version trains"),
        (["gradcheck", "nothing-of-that-name"], "a recipe is a TOML or JSON file"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err and "fault in layerwise" not in err


# ── the gradient check ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["weights by hand, steps", "perceptron", "regression, noisy ReLU, dropout"])
def test_gradients_are_checked(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = out_of(capsys, "gradcheck", *KINDS[name])
    assert "passed  output" in out and "They agree to" in out
    found = json.loads(out_of(capsys, "gradcheck", *KINDS[name], "--json"))
    assert found["passed"] is True and found["parameters"] > 0


def test_a_wrong_gradient_ends_with_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tolerance below what rounding leaves makes every layer fail."""
    monkeypatch.setattr("layerwise.inspection.gradients.TOLERANCE", 1e-15)
    recipe = KINDS["regression, noisy ReLU, dropout"]
    out = out_of(capsys, "gradcheck", *recipe, code=1)
    assert "wrong  hidden 1" in out and "WRONG" in out and "by differences" in " ".join(out.split())
    page = tmp_path / "check.html"
    out_of(capsys, "gradcheck", *recipe, "--html", str(page), code=1)
    assert "WRONG" in page.read_text("utf-8")
