"""Data: from a recipe's `data` to a `Dataset` of encoded arrays, split and with its fitted transforms."""

from layerwise.data.dataset import Classes, Dataset, Encoder, Labels, Quantities, Target
from layerwise.data.encode import encoder_from
from layerwise.data.target import encode_target
from layerwise.errors import DataError
from layerwise.recipe import records

__all__ = ["Classes", "Dataset", "Encoder", "Labels", "Quantities", "Target", "encode_target", "encoder_from", "load"]


def load(data: records.Data, task: records.Task, seed: int) -> Dataset:
    """The dataset a recipe asks for. Raises `DataError`.

    >>> from layerwise.recipe.records import AutoTask, NamedData
    >>> load(NamedData("iris"), AutoTask(), seed=0).x.shape
    (150, 4)
    """
    match data:
        case records.ToyData():
            from layerwise.data.arrays import load_toy

            return load_toy(data, task, seed)
        case records.PointsData():
            from layerwise.data.arrays import load_points

            return load_points(data, task, seed)
        case records.NamedData():
            from layerwise.data.arrays import load_named

            return load_named(data, task, seed)
        case records.TableData():
            from layerwise.data.table import load_table

            return load_table(data, task, seed)
        case records.ImageData() | records.TextData() | records.EcgData():
            raise DataError(
                "this version trains on toy, drawn, named and table data",
                received=f"data.kind = {data.__struct_config__.tag!r}",
                remedy="upgrade layerwise, or turn the data into a table",
                place="data.kind",
            )
