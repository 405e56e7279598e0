"""One compiled program for every small network, changed while it runs; a few more have room for larger ones.

The arrays of a *room* are as large as anything that fits in it. The standard room, six hidden layers of eight
units, serves whatever is played with by default; digits or a wide table take the smallest of the others.
Everything that a player of the Studio may move is an argument of the program: depth and widths by masks, each
layer's activation by its number, the optimizer by the coefficients of one update law, the schedule, the
loss, the penalties, dropout, the batch size and the rows themselves. So within a room nothing compiles while
someone plays.

It computes what `training.loop` computes for the same network: the same order of batches, the same
dropout, the same updates, to float32 rounding. Two things differ. The backward pass is the chain rule
written out, since that costs a third of differentiating through eleven activations. And the training
loss of an epoch is that of the whole training part after it, beside the validation loss, as in
TensorFlow Playground, not the mean over its batches.
"""

from layerwise.training.padded.dropout import left_out
from layerwise.training.padded.limits import check, fits, needed, room
from layerwise.training.padded.packing import fresh, order, pack, settings, shape, table, unpack
from layerwise.training.padded.program import advance_purely, compiled, figures
from layerwise.training.padded.records import (
    BATCH,
    DIVERGED,
    FINISHED,
    LAYERS,
    NARROW,
    ROWS,
    RUNNING,
    STANDARD,
    STOPPED_EARLY,
    UNITS,
    History,
    Parameters,
    Point,
    Room,
    Settings,
    Shape,
    State,
    Table,
)

__all__ = [
    "BATCH",
    "DIVERGED",
    "FINISHED",
    "LAYERS",
    "NARROW",
    "ROWS",
    "RUNNING",
    "STANDARD",
    "STOPPED_EARLY",
    "UNITS",
    "History",
    "Parameters",
    "Point",
    "Room",
    "Settings",
    "Shape",
    "State",
    "Table",
    "advance_purely",
    "check",
    "compiled",
    "figures",
    "fits",
    "fresh",
    "left_out",
    "needed",
    "order",
    "pack",
    "room",
    "settings",
    "shape",
    "table",
    "unpack",
]
