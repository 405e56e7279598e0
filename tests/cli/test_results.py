"""What is printed at the end of a run, and the JSON of it."""

import re
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from layerwise.cli.results import Result, payload, summary
from layerwise.progress import wording
from layerwise.tasks.intervals import Interval

CLASSIFICATION = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc", "calibration_error")


def figures(accuracy: float, names: tuple[str, ...] = CLASSIFICATION) -> dict[str, Interval]:
    values = {name: 1.1 - accuracy if name in wording.ERRORS else accuracy for name in names}
    return {name: Interval(value, value - 0.01, value + 0.01) for name, value in values.items()}


def both(accuracy: float, names: tuple[str, ...] = CLASSIFICATION) -> dict[str, dict[str, Interval]]:
    return {"validation": figures(accuracy + 0.001, names), "test": figures(accuracy, names)}


def result(**changes: object) -> Result:
    example = Result(
        run=Path("runs/digits-1"),
        model=Path("runs/digits-1/model.safetensors"),
        status="stopped_early",
        epochs=43,
        seconds=3.2104,
        metrics=both(0.95),
        baselines={
            "majority_class": both(0.1),
            "logistic_regression": both(0.94),
            "rbf_svm (10,000 rows)": both(0.97, CLASSIFICATION[:3]),
            "naive_bayes (failed: no [bold]luck[/bold])": {},
        },
        remarks=("rbf_svm (10,000 rows) beats the network on the test part: accuracy 0.97 against 0.95.",),
    )
    return msgspec.structs.replace(example, **changes)


def shown(result: Result, width: int) -> str:
    file = StringIO()
    console = Console(file=file, width=width, markup=False, highlight=False)
    for block in summary(result, width):
        console.print(block)
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_nothing_is_cut_off_at_any_width(width: int) -> None:
    text = shown(result(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for name in ("majority class", "logistic regression", "RBF SVM (10,000 rows)", "the network"):
        assert re.search(rf"^{re.escape(name)} ", text, re.MULTILINE), name
    words = " ".join(text.split())
    for number in ("0.951 0.941..0.961", "0.950 0.940..0.960", "0.100", "0.940", "★ 0.970"):
        assert number in words
    assert "layerwise predict runs/digits-1/model.safetensors" in words


def test_the_best_of_each_column_is_marked_and_the_order_is_by_the_first() -> None:
    text = shown(result(), 120)
    rows = {line[:22].strip(): line[22:] for line in text.splitlines()}
    assert rows["RBF SVM (10,000 rows)"].count("★") == 3
    assert rows["the network"].count("★") == 3  # a support vector machine has no probabilities
    assert rows["majority class"].count("★") == 0
    order = [name for name in rows if name in ("the network", "RBF SVM (10,000 rows)", "majority class")]
    assert order == ["RBF SVM (10,000 rows)", "the network", "majority class"]


def test_errors_are_best_where_they_are_smallest() -> None:
    names = ("rmse", "mae", "r2")
    text = shown(result(metrics=both(0.5, names), baselines={"mean": both(0.4, names)}), 80)
    row = next(line for line in text.splitlines() if line.startswith("the network"))
    assert row.count("★") == 3


def test_a_wide_console_shows_the_baselines_intervals() -> None:
    row = next(line for line in shown(result(), 200).splitlines() if line.startswith("logistic regression"))
    assert "0.940 0.930..0.950" in row


def test_a_remark_names_baselines_as_the_table_does() -> None:
    assert "RBF SVM (10,000 rows) beats the network" in " ".join(shown(result(), 80).split())


def test_a_run_without_baselines_or_figures() -> None:
    assert "the network" not in shown(result(baselines={}, remarks=()), 80)
    text = shown(result(metrics={"test": {}}, baselines={}, status="diverged"), 80)
    assert "Diverged after 43 epochs" in text
    assert "interval" not in text


def test_only_training_figures() -> None:
    text = shown(result(metrics={"train": figures(1.0)}, baselines={"mean": {"train": figures(0.5)}}), 80)
    assert "train part" in text


@pytest.mark.parametrize("status", wording.ENDINGS)
def test_every_ending_is_worded(status: str) -> None:
    assert "43 epochs in 3.21 s" in shown(result(status=status), 80)


def test_weights_by_hand_are_evaluated() -> None:
    assert "nothing to train" in shown(result(status="finished", epochs=0), 80)


def test_a_path_with_a_space_can_be_copied() -> None:
    assert "layerwise predict 'my runs/1/model.safetensors'" in shown(
        result(model=Path("my runs/1/model.safetensors")), 80
    )


def test_how_to_go_on_is_said_where_one_can() -> None:
    assert "layerwise resume" not in shown(result(), 80)
    text = shown(result(status="time_limit", can_go_on=True), 80)
    assert text.splitlines()[-1].rstrip() == "go on    layerwise resume runs/digits-1"


def test_payload_has_the_documented_keys() -> None:
    found = msgspec.json.decode(msgspec.json.encode(payload(result())))
    assert list(found) == ["run", "model", "status", "epochs", "seconds", "metrics", "baselines"]
    assert found["seconds"] == 3.21
    assert set(found["metrics"]["test"]["accuracy"]) == {"value", "low", "high"}
    assert set(found["baselines"]["majority_class"]["validation"]) == set(CLASSIFICATION)
