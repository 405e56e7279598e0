"""Rules on data: tables made ill on purpose, and what training on them comes to."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.inspection import Diagnosis, Finding, Healthy, Subject, Unseen, diagnose, subject
from layerwise.inspection.rules import data
from layerwise.inspection.rules.case import Case
from layerwise.training.run import Run


def table(folder: Path, header: str, lines: list[str]) -> dict[str, Any]:
    (folder / "rows.csv").write_text("\n".join([header, *lines]) + "\n")
    return {"kind": "table", "path": str(folder / "rows.csv"), "target": header.rpartition(",")[2]}


def trained(folder: Path, recipe: dict[str, Any]) -> Subject:
    with Run(recipe, out=folder) as run:
        for _ in run:
            pass
    return subject(str(folder))


def by_rule(found: Diagnosis) -> dict[str, Finding | Healthy | Unseen]:
    return {verdict.rule: verdict for verdict in (*found.findings, *found.healthy, *found.unseen)}


def numbers(rows: int, columns: int = 2, seed: int = 0) -> list[list[float]]:
    return np.random.default_rng(seed).normal(size=(rows, columns)).round(4).tolist()


def joined(*columns: Any) -> list[str]:
    return [",".join(map(str, row)) for row in zip(*columns, strict=True)]


def test_rows_in_two_parts(tmp_path: Path) -> None:
    once = [f"{a},{b},{'yes' if a > 0 else 'no'}" for a, b in numbers(60)]
    seen = data.repeated_rows(Case(subject({"data": table(tmp_path, "a,b,label", once * 2)})))
    assert isinstance(seen, Finding) and seen.severity == "grave"
    sound = subject({"data": table(tmp_path, "a,b,label", once)})
    assert isinstance(data.repeated_rows(Case(sound)), Healthy)
    assert isinstance(data.repeated_rows(Case(subject("and"))), Unseen)


def test_rows_that_repeat_by_themselves() -> None:
    """Four corners, a hundred times: nothing leaked."""
    seen = data.repeated_rows(Case(subject({"data": {"kind": "toy", "name": "xor", "n": 400}})))
    assert isinstance(seen, Finding) and seen.severity == "note" and "only 4 different rows" in seen.evidence


def test_constant_inputs() -> None:
    found = subject("digits")
    seen, dataset = data.constant_inputs(Case(found)), found.dataset
    flat = int((np.ptp(dataset.x[dataset.train], axis=0) == 0).sum())
    assert isinstance(seen, Finding) and seen.severity == "note" and seen.evidence.startswith(f"{flat} of 64 inputs")


def test_a_column_left_out_for_being_constant(tmp_path: Path) -> None:
    lines = [f"{a},{b},7,{'yes' if a > 0 else 'no'}" for a, b in numbers(60)]
    seen = data.constant_inputs(Case(subject({"data": table(tmp_path, "a,b,same,label", lines)})))
    assert isinstance(seen, Finding) and "'same'" in seen.evidence


@pytest.mark.parametrize(
    ("train_", "task", "severity"),
    [
        ({"monitor": "accuracy"}, {"kind": "classify"}, "grave"),
        ({}, {"kind": "classify"}, "warning"),
        ({"monitor": "macro_f1"}, {"kind": "classify"}, "note"),
        ({"monitor": "accuracy"}, {"kind": "classify", "class_weight": "balanced"}, "note"),
    ],
)
def test_unbalanced_classes(tmp_path: Path, train_: dict[str, Any], task: dict[str, Any], severity: str) -> None:
    lines = [f"{a},{b},{'rare' if n % 20 == 0 else 'usual'}" for n, (a, b) in enumerate(numbers(200))]
    found = subject({"data": table(tmp_path, "a,b,label", lines), "train": train_, "task": task})
    seen = data.unbalanced_classes(Case(found))
    assert isinstance(seen, Finding) and seen.severity == severity and "95%" in seen.evidence


def test_a_column_that_tells_the_class(tmp_path: Path) -> None:
    told = [f"{a},{3.5 if n % 2 else 1.25},{'yes' if n % 2 else 'no'}" for n, (a, _) in enumerate(numbers(300))]
    seen = data.telling_input(Case(subject({"data": table(tmp_path, "a,gone_by,label", told)})))
    assert isinstance(seen, Finding) and seen.evidence.startswith("gone_by alone is right on 100.0%")
    assert 'gone_by = "ignore"' in seen.remedy
    noisy = [f"{a},{b},{'yes' if b + a > 0 else 'no'}" for a, b in numbers(300)]
    assert isinstance(data.telling_input(Case(subject({"data": table(tmp_path, "a,b,label", noisy)}))), Healthy)


def test_a_grade_on_either_side_of_a_value(tmp_path: Path) -> None:
    """Two clouds of values that one threshold parts; equally full ranges would have one that holds both."""
    random = np.random.default_rng(3)
    grades = [70 + 3 * random.standard_normal() if n % 9 < 4 else 40 + 3 * random.standard_normal() for n in range(400)]
    lines = [f"{a},{g:.2f},{'pass' if g > 55 else 'fail'}" for (a, _), g in zip(numbers(400), grades, strict=True)]
    seen = data.telling_input(Case(subject({"data": table(tmp_path, "a,grade,label", lines)})))
    assert isinstance(seen, Finding) and seen.evidence.startswith("grade alone is right on 100.0%")


@pytest.mark.parametrize("one_hot", [50, 2])
def test_a_category_that_tells_the_class(tmp_path: Path, one_hot: int) -> None:
    """Its codes stand in several encoded inputs, none of which tells it alone; or in one that is embedded."""
    lines = [f"{a},{'PQRXYZ'[n % 6]},{'yes' if n % 6 < 3 else 'no'}" for n, (a, _) in enumerate(numbers(300))]
    recipe = {"data": {**table(tmp_path, "a,outcome,label", lines), "one_hot": one_hot}}
    seen = data.telling_input(Case(subject(recipe)))
    assert isinstance(seen, Finding) and seen.evidence.startswith("outcome alone is right on 100.0%")


def test_a_column_that_tells_the_quantity(tmp_path: Path) -> None:
    """Another unit, a rounded copy, and a category whose groups have each their own value."""
    price = [50 + 7.3 * b for _, b in numbers(300)]
    for told in (
        [f"{2 * p - 1:.4f}" for p in price],
        [f"{p:.0f}" for p in price],
    ):
        lines = [f"{a},{t},{p}" for (a, _), t, p in zip(numbers(300, seed=1), told, price, strict=True)]
        seen = data.telling_input(Case(subject({"data": table(tmp_path, "a,copy,price", lines)})))
        assert isinstance(seen, Finding) and seen.evidence.startswith("copy alone explains")
    kinds = [f"{a},{'uvwxyz'[n % 6]},{100 * (n % 6) + b:.3f}" for n, (a, b) in enumerate(numbers(300))]
    seen = data.telling_input(Case(subject({"data": table(tmp_path, "a,kind,price", kinds)})))
    assert isinstance(seen, Finding) and seen.evidence.startswith("kind alone explains 100")
    noisy = [f"{a},{b},{7.3 * b - 2 + 3 * a}" for a, b in numbers(300)]
    assert isinstance(data.telling_input(Case(subject({"data": table(tmp_path, "a,b,price", noisy)}))), Healthy)


def test_the_test_part_is_not_asked_whether_an_input_tells_the_class(tmp_path: Path) -> None:
    told = [f"{a},{3.5 if n % 2 else 1.25},{'yes' if n % 2 else 'no'}" for n, (a, _) in enumerate(numbers(300))]
    found = subject({"data": table(tmp_path, "a,gone_by,label", told)})
    y = found.dataset.y.copy()
    y[found.dataset.test] = 1 - y[found.dataset.test]
    other = replace(found, dataset=replace(found.dataset, y=y))
    assert data.telling_input(Case(other)) == data.telling_input(Case(found))
    few = replace(found.dataset, validation=found.dataset.validation[:49])
    assert isinstance(data.telling_input(Case(replace(found, dataset=few))), Unseen)


def test_a_category_that_tells_nothing_is_not_taken_for_telling(tmp_path: Path) -> None:
    """Each word occurs a few times, so the training rows alone would be learnt by heart."""
    random = np.random.default_rng(0)
    lines = [f"w{random.integers(0, 60)},{n % 7},{'yes' if random.random() < 0.5 else 'no'}" for n in range(300)]
    found = subject({"data": {**table(tmp_path, "word,n,label", lines), "one_hot": 2}})
    assert found.network.embeds and isinstance(data.telling_input(Case(found)), Healthy)


def test_the_scale_of_the_target(tmp_path: Path) -> None:
    lines = joined(*np.array(numbers(200)).T, 5000 + 300 * np.array(numbers(200, 1, seed=1))[:, 0])
    recipe: dict[str, Any] = {"data": table(tmp_path, "a,b,price", lines)}
    assert isinstance(data.target_scale(Case(subject(recipe))), Healthy)
    raw = data.target_scale(Case(subject({**recipe, "task": {"kind": "regress", "standardize": False}})))
    assert isinstance(raw, Finding) and raw.key == "task.standardize"


def test_outliers_of_the_target(tmp_path: Path) -> None:
    price = np.array(numbers(400, 1, seed=1))[:, 0]
    price[::150] = 90.0
    recipe: dict[str, Any] = {"data": table(tmp_path, "a,b,price", joined(*np.array(numbers(400)).T, price))}
    recipe["data"]["split"] = {"kind": "none"}
    seen = data.target_scale(Case(subject(recipe)))
    assert isinstance(seen, Finding) and seen.key == "task.loss" and "the 4 rows farthest" in seen.evidence
    huber = data.target_scale(Case(subject({**recipe, "task": {"kind": "regress", "loss": "huber"}})))
    assert isinstance(huber, Healthy)


# ── trained on it ───────────────────────────────────────────────────────────────────────────────


def test_labels_by_lot(tmp_path: Path) -> None:
    """They are learnt by heart, and the accuracy on others is no better than at the beginning."""
    random = np.random.default_rng(0)
    lines = joined(*random.normal(size=(2, 200)).round(4), random.integers(0, 2, 200))
    recipe = {
        "data": table(tmp_path, "a,b,label", lines),
        "network": {"kind": "mlp", "hidden": [128, 64]},
        "train": {"epochs": 150, "patience": 0, "monitor": "accuracy", "learning_rate": 0.01},
    }
    seen = by_rule(diagnose(trained(tmp_path / "run", recipe)))
    over, useless = seen["over-fitting"], seen["no better than a constant answer"]
    assert isinstance(over, Finding) and over.severity != "note"
    assert isinstance(useless, Finding)


def test_multilabel_runs_are_diagnosed(tmp_path: Path) -> None:
    lines = [f"{a},{b},{int(a > 0)},{int(b > 0)}" for a, b in numbers(120)]
    recipe = {"data": {**table(tmp_path, "a,b,up,right", lines), "target": ["up", "right"]}, "train": {"epochs": 60}}
    found = diagnose(trained(tmp_path / "run", recipe))
    assert isinstance(by_rule(found)["unbalanced classes"], Unseen)


def test_two_rows_are_too_few_to_find_anything_in(tmp_path: Path) -> None:
    recipe = {"data": {**table(tmp_path, "a,b,price", ["1.5,2.5,3.5", "2.5,1,4"]), "split": {"kind": "none"}}}
    found = diagnose(subject({**recipe, "task": "regress", "train": {"epochs": 1}}))
    assert not found.findings and isinstance(by_rule(found)["rows in two parts"], Unseen)
