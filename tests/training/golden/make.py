"""Makes the golden files of the present format: model files that every later version must read and predict with.

    python tests/training/golden/make.py

A golden file is made once, with the format that it is of. It is never made again and never removed: it
stands for all the model files that users have kept. So this refuses to write over one.
"""

import hashlib
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

# Every kind of column, each with values missing; a category that is one-hot and one that is embedded.
ORDERS = {
    "data": {
        "kind": "table",
        "path": "orders.csv",
        "target": "answer",
        "columns": {"sold": {"kind": "date", "form": "day/month/year"}, "id": "ignore"},
        "missing": ["", "NA", "-"],
        "one_hot": 4,
    },
    "network": {"kind": "mlp", "hidden": [4], "activation": "tanh"},
    "train": {"epochs": 40, "learning_rate": 0.03, "patience": 0},
}
PLANE = {
    "data": {"kind": "toy", "name": "plane", "n": 60},
    "network": {"kind": "mlp", "hidden": [3], "activation": "softplus"},
    "train": {"epochs": 40, "learning_rate": 0.03, "patience": 0},
}
# As users write rows: other types and orders, unseen categories, values out of range, each column missing once.
NEW_ORDERS: list[dict[str, Any]] = [
    {"size": 12, "stamp": 1700000000.5, "color": "red", "town": "t3", "paid": "yes", "sold": "03/04/2021 10:30"},
    {"size": "12.5", "stamp": "1700000100", "color": " red ", "town": "t3", "paid": "YES", "sold": "2021-04-03T10:30"},
    {"sold": "31/12/2020 23:59", "paid": "no", "town": "t0", "color": "dark blue", "stamp": 1700000900, "size": -4},
    {"size": None, "stamp": 1700000300, "color": "green", "town": "t7", "paid": "no", "sold": "01/01/2022"},
    {"size": 40, "stamp": None, "color": "green", "town": "t7", "paid": "no", "sold": "01/01/2022"},
    {"size": 40, "stamp": 1700000300, "color": "-", "town": "t1", "paid": "yes", "sold": "29/02/2020 00:15"},
    {"size": 40, "stamp": 1700000300, "color": "green", "town": "NA", "paid": "yes", "sold": "29/02/2020 00:15"},
    {"size": 40, "stamp": 1700000300, "color": "green", "town": "t2", "paid": "", "sold": "29/02/2020 00:15"},
    {"size": 40, "stamp": 1700000300, "color": "green", "town": "t2", "paid": "no", "sold": None},
    {"size": 1e9, "stamp": 0, "color": "mauve", "town": "nowhere", "paid": "perhaps", "sold": "01/01/1900"},
]
NEW_POINTS = [[0.0, 0.0], [0.5, -0.5], [-1.0, 1.0], [3.0, 2.0], [-1e6, 1e6]]


def orders(rows: int = 120) -> str:
    """The table that is learnt from, as CSV."""
    dice = random.Random(20)
    lines = ["id,size,stamp,color,town,paid,sold,answer"]
    for i in range(rows):
        size, color = dice.randint(1, 60), dice.choice(["red", "green", "dark blue"])
        cells = [
            str(size) if i % 10 else "", f"{1.7e9 + dice.randint(0, 2000) / 2:.1f}" if i % 11 else "NA",
            color if i % 13 else "-", f"t{dice.randint(0, 9)}" if i % 9 else "",
            dice.choice(["yes", "no"]) if i % 8 else "",
            f"{dice.randint(1, 28):02}/{dice.randint(1, 12):02}/20{dice.randint(18, 22)} {dice.randint(0, 23):02}:30",
        ]  # fmt: skip
        cells[5] = cells[5] if i % 12 else ""
        answer = "high" if size > 40 else "low" if color != "red" else "middle"
        lines.append(",".join([str(i), *cells, answer]))
    return "\n".join(lines) + "\n"


def expected(model: Any, rows: Any) -> dict[str, Any]:
    """What the model makes of rows, in what JSON can hold."""
    from layerwise.data.dataset import Quantities

    known = not isinstance(model.target, Quantities)
    return {
        "rows": rows,
        "encoded": model.encoder.encode(rows).tolist(),
        "predicted": model.predict(rows).tolist(),
        "probabilities": model.predict_proba(rows).tolist() if known else None,
    }


def main() -> None:
    """Train and write what is not there yet."""
    import layerwise
    from layerwise.training.model import FORMAT

    for name, recipe, rows in (("table", ORDERS, NEW_ORDERS), ("array", PLANE, NEW_POINTS)):
        path = HERE / f"format-{FORMAT}-{name}.safetensors"
        if path.exists():
            sys.exit(f"{path.name} is there already, and a golden file is never made again")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "orders.csv").write_text(orders())
            (Path(folder) / "recipe.json").write_text(json.dumps(recipe))
            run = layerwise.train(Path(folder) / "recipe.json", out=Path(folder) / "run")
            path.write_bytes(run.model_path.read_bytes())
        told = path.with_suffix(".json")
        told.write_text(json.dumps(expected(layerwise.load(path), rows), indent=1) + "\n")
        digest = hashlib.sha256(path.read_bytes() + told.read_bytes()).hexdigest()
        print(f'    "{path.stem}": "{digest}",  # for GOLDEN in test_golden.py')


if __name__ == "__main__":
    main()
