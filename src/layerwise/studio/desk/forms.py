"""Predicting in a form: the fields that a model asks for, and what it says of the values typed in."""

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerwise.data.dataset import Classes, Labels
from layerwise.data.encode import ArrayEncoder, TableEncoder
from layerwise.data.transform import BooleanColumn, CategoryColumn, DateColumn, FittedColumn, NumericColumn
from layerwise.errors import DataError, RunError
from layerwise.progress import wording
from layerwise.studio.desk.workspace import Workspace
from layerwise.training.model import Model, load
from layerwise.training.predictions import predictions
from layerwise.tuning.listing import model_file

FIELDS = 64  # of a form; a model of more columns predicts from files only
CHOICES = 200  # of one field
TEXT = 1_000  # characters typed into one field
ROW = re.compile(r"(?:, | in )?\brow 0 \(the first is 0\)(?:, )?")
KEPT = 4  # models that stay loaded


class Models:
    """The models of a workspace's runs, the last few of them kept."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._kept: OrderedDict[tuple[Path, int, int], Model] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, name: str) -> Model:
        """The model of a run. Raises `LayerwiseError` where it has none, or one that cannot be read."""
        path = self._workspace.within(model_file(self._workspace.run(name)))
        if not path.is_file():
            raise RunError("a run predicts once it has a model", received=name, remedy="wait for its end")
        found = path.stat()
        key = (path, found.st_mtime_ns, found.st_size)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = load(path)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]


def form(model: Model) -> dict[str, Any]:
    """The fields of a model's form; none where it has too many columns."""
    match model.target:
        case Classes(column=column, names=names):
            target = {"name": column, "classes": len(names)}
        case other:
            target = {"name": wording.listed(other.columns), "classes": 0}
    names = model.encoder.names
    if len(names) > FIELDS:
        return {"target": target, "columns": len(names), "fields": []}
    if isinstance(model.encoder, TableEncoder):
        fields = [_field(column) for column in model.encoder.spec.columns]
    else:
        assert isinstance(model.encoder, ArrayEncoder)
        fields = [{"name": info.name, "kind": "number", "hint": info.range} for info in model.encoder.schema]
    return {"target": target, "columns": len(names), "fields": fields}


def _field(column: FittedColumn) -> dict[str, Any]:
    known: dict[str, Any] = {"name": column.name, "kind": "number", "hint": column.info.range}
    match column:
        case NumericColumn(boolean=True):
            return {**known, "kind": "choice", "choices": ["0", "1"]}
        case BooleanColumn():
            return {**known, "kind": "choice", "choices": list(column.words)}
        case CategoryColumn():
            named = list(column.categories[:CHOICES])
            return {**known, "kind": "choice" if len(column.categories) <= CHOICES else "text", "choices": named}
        case DateColumn():
            return {**known, "kind": "date", "form": column.form or "year-month-day"}
        case _:
            return known


def answer(model: Model, row: Mapping[str, str]) -> dict[str, Any]:
    """What a model says of one row typed in, and what in it training never held. Raises `DataError`."""
    long = next((name for name, value in row.items() if len(value) > TEXT), None)
    if long is not None:
        raise DataError(f"a field holds up to {TEXT:,} characters", received=f"more in {long[:60]!r}")
    values = {name: row.get(name, "") for name in model.encoder.names}
    empty = [name for name, value in values.items() if not value.strip()]
    if empty and not isinstance(model.encoder, TableEncoder):
        raise DataError(
            "this model needs every value", received=f"none for {wording.listed(empty[:3])}", remedy="fill it in"
        )
    # A form has text fields; read as a table of texts, they mean what they mean in a file.
    table = _predicted(model, values)
    unusual = model.encoder.report([values])
    said = table.row(0)[1:]
    names = table.columns[1:]
    match model.target:
        case Classes(names=classes):
            shares = sorted(zip(classes, map(float, said[1:]), strict=True), key=lambda pair: -pair[1])
            answers = [{"name": names[0], "value": str(said[0])}]
        case Labels(columns=columns):
            shares = [(name, float(said[2 * place + 1])) for place, name in enumerate(columns)]
            answers = [{"name": name, "value": "yes" if said[2 * i] else "no"} for i, name in enumerate(columns)]
        case _:
            shares = []
            answers = [{"name": n, "value": f"{float(v):.6g}"} for n, v in zip(names, said, strict=True)]
    return {
        "answers": answers,
        "shares": [{"name": name, "share": share} for name, share in shares],
        "unusual": [{"name": name, "words": words} for name, words in unusual.items()],
    }


def _predicted(model: Model, values: Mapping[str, str]) -> Any:
    """What a model says of the fields of a form, which are no row of a file. Raises `DataError` in a form's words."""
    try:
        return predictions(model, [values])
    except DataError as error:
        received, place = (ROW.sub("", part) for part in (error.received, error.place))
        remedy = "mend it, or leave the field empty" if "`missing`" in error.remedy else error.remedy
        raise DataError(error.rule, received=received, remedy=remedy, place=place) from None


def table_of(model: Model, path: Path) -> tuple[bytes, list[str]]:
    """Predictions for every row of a file, as CSV, and sentences on what training never held."""
    table = predictions(model, path)
    said = [f"{name}: {words}" for name, words in model.encoder.report(path).items()]
    return table.write_csv().encode(), said
