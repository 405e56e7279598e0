"""The typed records a recipe is made of.

A recipe is plain, frozen data. Two conventions hold throughout:

* Where a record has variants they carry `kind`; a bare string stands for the variant with its
  defaults, so ``optimizer = "adam"`` is ``optimizer = { kind = "adam" }``.
* There is no null: a value is a literal such as ``"none"`` or ``"auto"``, or ``0`` where zero means
  "off". `layerwise.training.resolve` replaces every ``"auto"`` once the data is known.

The `description` of each constraint is the remedy printed when the constraint is broken.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from layerwise.recipe.seeding import SEEDS

SCHEMA = 1


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all recipe records: frozen, unknown keys refused."""


LARGEST = 3.4e38  # settings are single precision in the program, and multiplied there
Positive = Annotated[float, Meta(gt=0, le=LARGEST, description="give a number above zero")]
NonNegative = Annotated[float, Meta(ge=0, le=LARGEST, description="give zero (off) or more")]
Share = Annotated[float, Meta(ge=0, lt=1, description="give a share of the rows such as 0.2; 0 leaves the part empty")]
Rate = Annotated[float, Meta(ge=0, lt=1, description="give a probability such as 0.2; 0 switches it off")]
Decay = Annotated[float, Meta(ge=0, lt=1, description="give a number in [0, 1) such as 0.9")]
MOST = 2**31 - 1  # that the program can count
Count = Annotated[int, Meta(ge=1, le=MOST, description="give a whole number of at least 1")]
Text = Annotated[str, Meta(min_length=1, description="give a non-empty text")]
Duration = Annotated[
    str,
    Meta(
        pattern=r"^(none|(\d+(\.\d+)?(ms|s|m|h))+)$",
        description='give a time such as "90s", "5m" or "1h30m", or "none"',
    ),
]

# ── data ────────────────────────────────────────────────────────────────────────────────────────


class NoSplit(Record, tag_field="kind", tag="none"):
    """Every row is used for training; nothing is held out, so no honest score exists."""


class AutoSplit(Record, tag_field="kind", tag="auto"):
    """Stratified for classes, random otherwise; an official test part is kept where there is one."""

    validation: Share = 0.2
    test: Share = 0.2


class RandomSplit(Record, tag_field="kind", tag="random"):
    """Rows are dealt at random."""

    validation: Share = 0.2
    test: Share = 0.2


class StratifiedSplit(Record, tag_field="kind", tag="stratified"):
    """Rows are dealt at random within each class, so every part has the classes' proportions."""

    validation: Share = 0.2
    test: Share = 0.2


class GroupSplit(Record, tag_field="kind", tag="group"):
    """All rows of a group (a patient, an author) stand in one part; `by` names the column."""

    by: Text
    validation: Share = 0.2
    test: Share = 0.2


class TimeSplit(Record, tag_field="kind", tag="time"):
    """The oldest rows train, the newest test; `by` names the column of time."""

    by: Text
    validation: Share = 0.2
    test: Share = 0.2


class GivenSplit(Record, tag_field="kind", tag="given"):
    """The user decides: column `by` holds train/validation/test, or further files hold the parts."""

    by: str = "none"
    validation: str = "none"
    test: str = "none"


class FoldSplit(Record, tag_field="kind", tag="kfold"):
    """K-fold cross-validation: each of `folds` parts of the rows is the test part of one run.

    `fold` is the one to hold out, counted from 1; "all" trains one network for each. `validation` is
    the share of the other rows that decides when training stops, so the held-out fold decides nothing.
    """

    folds: Annotated[int, Meta(ge=2, description="give at least 2 folds")] = 5
    fold: Annotated[int, Meta(ge=1, description='folds count from 1; "all" trains them all')] | Literal["all"] = "all"
    validation: Share = 0.2


Split = NoSplit | AutoSplit | RandomSplit | StratifiedSplit | GroupSplit | TimeSplit | GivenSplit | FoldSplit

ToyName = Literal[
    "and", "or", "xor", "circle", "gaussians", "spiral", "moons", "arms", "clouds", "rings", "plane", "multi-gaussian"
]
Feature = Literal["x1", "x2", "x1^2", "x2^2", "x1*x2", "sin(3*x1)", "sin(3*x2)"]
Features = Annotated[tuple[Feature, ...], Meta(min_length=1, description='e.g. features = ["x1", "x2", "x1*x2"]')]


class ToyData(Record, tag_field="kind", tag="toy"):
    """Generated points in two dimensions. `noise` is relative to the figure's size, as in [0, 1].

    `features` are what the network gets of a point, each once and in the order of `Feature`.
    """

    name: ToyName
    n: Annotated[int, Meta(ge=4, le=10_000_000, description="give at least 4 points")] = 500
    noise: Annotated[float, Meta(ge=0, le=10, description="give 0 to 10; 0.05 is 5 % of the figure's size")] = 0.0
    features: Features = ("x1", "x2")
    split: Split = AutoSplit()


Coordinate = Annotated[float, Meta(ge=-100, le=100, description="give a number from -100 to 100; figures fill [-2, 2]")]
DrawnTarget = Annotated[float, Meta(ge=-1e6, le=1e6, description="give a number up to a million")]
DrawnPoint = tuple[Coordinate, Coordinate, DrawnTarget]


class PointsData(Record, tag_field="kind", tag="points"):
    """Points drawn by hand: rows of x1, x2 and a target, within the recipe itself.

    The target is the number of a class, counted from 0 as `classes` names them; without any it is a quantity.
    `features` are as those of a toy.
    """

    points: Annotated[
        tuple[DrawnPoint, ...], Meta(min_length=4, max_length=1024, description="give from 4 to 1024 points")
    ]
    classes: Annotated[tuple[Text, ...], Meta(max_length=8, description="give up to 8 classes")] = ()
    features: Features = ("x1", "x2")
    split: Split = AutoSplit()


class NamedData(Record, tag_field="kind", tag="named"):
    """A data set of the catalogue; `layerwise data list` names them."""

    name: Text
    split: Split = AutoSplit()


DateForm = Literal[
    "auto", "year-month-day", "day/month/year", "month/day/year", "day month year", "month day, year", "yearmonthday"
]


class Dates(Record, tag_field="kind", tag="date"):
    """A column of dates. `form` "auto" is found out; state it where 1/2/2024 could be January or February.

    The sign between the parts (/ - or .) is free, and dates as in 2024-02-01 are read in every form.
    """

    form: DateForm = "auto"


ColumnKind = Literal["auto", "numeric", "boolean", "category", "ignore"] | Dates


class TableData(Record, tag_field="kind", tag="table"):
    """A CSV, Parquet or JSON Lines file: one example a row.

    `target` names the column to predict, or several. `columns` overrides what is found out about a
    column, e.g. ``{ code = "category", sold = { kind = "date", form = "month/day/year" } }``; `weight`
    names a column of example weights. `delimiter`, `encoding` and `decimal` are found out unless
    given. `missing` are the texts that mean "no value".
    """

    path: Text
    target: Text | tuple[str, ...]
    columns: dict[str, ColumnKind] = {}
    weight: str = "none"
    delimiter: str = "auto"
    encoding: str = "auto"
    decimal: Literal["auto", ".", ","] = "auto"
    missing: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
    one_hot: Annotated[int, Meta(ge=0, description="categories up to this many are one-hot, more are embedded")] = 16
    split: Split = AutoSplit()


class ImageData(Record, tag_field="kind", tag="images"):
    """A folder of images, resized to `size` (height, width)."""

    path: Text
    size: tuple[Count, Count]
    split: Split = AutoSplit()


class TextData(Record, tag_field="kind", tag="text"):
    """A table with a column of text and a label."""

    path: Text
    text: Text
    target: Text
    split: Split = AutoSplit()


class EcgData(Record, tag_field="kind", tag="ecg"):
    """A folder of WFDB records with beat annotations."""

    path: Text
    lead: Text
    split: Split


Data = ToyData | PointsData | NamedData | TableData | ImageData | TextData | EcgData

# ── task ────────────────────────────────────────────────────────────────────────────────────────


class AutoTask(Record, tag_field="kind", tag="auto"):
    """Classify where the target is classes, regress where it is a quantity."""


class Classify(Record, tag_field="kind", tag="classify"):
    """One class of several: cross-entropy from logits.

    `class_weight`: "none", "balanced" (n / (classes * count)), or a weight for each class by name.
    """

    class_weight: Literal["none", "balanced"] | dict[str, Positive] = "none"
    label_smoothing: Rate = 0.0


class MultiLabel(Record, tag_field="kind", tag="multilabel"):
    """Several yes/no labels at once: binary cross-entropy from logits, one logit a label."""

    label_smoothing: Rate = 0.0


class Regress(Record, tag_field="kind", tag="regress"):
    """One quantity or several. `delta` is where Huber's loss turns linear, in the target's standard
    deviations."""

    loss: Literal["mse", "mae", "huber"] = "mse"
    delta: Positive = 1.0
    standardize: bool = True


class Reconstruct(Record, tag_field="kind", tag="reconstruct"):
    """Give back the input, which was corrupted by `amount`."""

    corrupt: Literal["none", "gaussian", "mask"] = "none"
    amount: NonNegative = 0.0


Task = AutoTask | Classify | MultiLabel | Regress | Reconstruct

# ── network ─────────────────────────────────────────────────────────────────────────────────────


class Sigmoid(Record, tag_field="kind", tag="sigmoid"): ...


class Tanh(Record, tag_field="kind", tag="tanh"): ...


class Relu(Record, tag_field="kind", tag="relu"): ...


class LeakyRelu(Record, tag_field="kind", tag="leaky_relu"):
    """z where z > 0, else slope * z (Maas, Hannun & Ng 2013)."""

    slope: NonNegative = 0.01


class NoisyRelu(Record, tag_field="kind", tag="noisy_relu"):
    """max(0, z + N(0, sigmoid(z))) while training, max(0, z) afterwards (Nair & Hinton 2010)."""


class Elu(Record, tag_field="kind", tag="elu"):
    """z where z > 0, else alpha * (exp(z) - 1) (Clevert, Unterthiner & Hochreiter 2016)."""

    alpha: Positive = 1.0


class Gelu(Record, tag_field="kind", tag="gelu"): ...


class Silu(Record, tag_field="kind", tag="silu"): ...


class Softplus(Record, tag_field="kind", tag="softplus"): ...


class Linear(Record, tag_field="kind", tag="linear"): ...


class Step(Record, tag_field="kind", tag="step"):
    """1 where z > 0, else 0; its derivative is zero, so it cannot be trained by gradients."""


Activation = Sigmoid | Tanh | Relu | LeakyRelu | NoisyRelu | Elu | Gelu | Silu | Softplus | Linear | Step

Initialization = Literal["auto", "he", "glorot", "lecun", "orthogonal", "uniform", "zeros"]

# Per layer, one row per unit: [bias, w1, w2, ...]. Empty: not given by hand.
HandWeights = tuple[tuple[tuple[float, ...], ...], ...]


class PerceptronNet(Record, tag_field="kind", tag="perceptron"):
    """Rosenblatt's perceptron, trained by its own rule: a weight moves only on a mistake."""

    weights: HandWeights = ()


class LinearNet(Record, tag_field="kind", tag="linear"):
    """No hidden layer: linear, logistic or softmax regression, as the task asks."""

    initialization: Initialization = "auto"
    weights: HandWeights = ()


class Mlp(Record, tag_field="kind", tag="mlp"):
    """Fully connected layers. `activation` is one for all hidden layers, or one for each.

    `output` "auto" leaves logits to the task's own link (sigmoid, softmax or none).
    """

    hidden: tuple[Count, ...] = (64,)
    activation: Activation | tuple[Activation, ...] = Relu()
    output: Literal["auto", "linear", "sigmoid", "tanh", "step"] = "auto"
    initialization: Initialization = "auto"
    weights: HandWeights = ()


class Cnn(Record, tag_field="kind", tag="cnn"):
    """Convolutions, then fully connected layers."""

    channels: tuple[Count, ...] = (32, 64)
    kernel: Count = 3
    hidden: tuple[Count, ...] = (64,)


class Lstm(Record, tag_field="kind", tag="lstm"):
    """A recurrent network with long short-term memory, pooled over time."""

    hidden: Count = 128
    pool: Literal["last", "mean", "max"] = "last"


class ConvAutoencoder(Record, tag_field="kind", tag="conv_autoencoder"):
    """A convolutional encoder to `latent` numbers and its mirrored decoder."""

    channels: tuple[Count, ...] = (32, 64)
    latent: Count = 128


Network = PerceptronNet | LinearNet | Mlp | Cnn | Lstm | ConvAutoencoder

# ── training ────────────────────────────────────────────────────────────────────────────────────


class Sgd(Record, tag_field="kind", tag="sgd"):
    """Plain stochastic gradient descent."""


class Momentum(Record, tag_field="kind", tag="momentum"):
    """Heavy-ball momentum (Polyak 1964)."""

    momentum: Decay = 0.9


class Nesterov(Record, tag_field="kind", tag="nesterov"):
    """Nesterov's accelerated gradient, in the form of Sutskever et al. 2013."""

    momentum: Decay = 0.9


class Adagrad(Record, tag_field="kind", tag="adagrad"):
    """Duchi, Hazan & Singer 2011."""

    epsilon: Positive = 1e-7


class RmsProp(Record, tag_field="kind", tag="rmsprop"):
    """Tieleman & Hinton 2012."""

    decay: Decay = 0.9
    epsilon: Positive = 1e-8


class Adam(Record, tag_field="kind", tag="adam"):
    """Kingma & Ba 2015."""

    beta1: Decay = 0.9
    beta2: Decay = 0.999
    epsilon: Positive = 1e-8


class AdamW(Record, tag_field="kind", tag="adamw"):
    """Adam whose weight decay is decoupled from the gradient (Loshchilov & Hutter 2019)."""

    beta1: Decay = 0.9
    beta2: Decay = 0.999
    epsilon: Positive = 1e-8


class Lion(Record, tag_field="kind", tag="lion"):
    """Chen et al. 2023: the sign of an interpolated momentum."""

    beta1: Decay = 0.9
    beta2: Decay = 0.99


class Lbfgs(Record, tag_field="kind", tag="lbfgs"):
    """Limited-memory BFGS over the whole training part, for small problems; `memory` past steps."""

    memory: Annotated[int, Meta(ge=1, le=1000, description="give a number of steps such as 10")] = 10


Optimizer = Sgd | Momentum | Nesterov | Adagrad | RmsProp | Adam | AdamW | Lion | Lbfgs


class ConstantRate(Record, tag_field="kind", tag="constant"): ...


class StepRate(Record, tag_field="kind", tag="step"):
    """Multiply the rate by `factor` every `every` epochs."""

    every: Positive = 10.0
    factor: Annotated[float, Meta(gt=0, le=1, description="give a factor in (0, 1]")] = 0.1


class ExponentialRate(Record, tag_field="kind", tag="exponential"):
    """Multiply the rate by `factor` over each epoch, continuously."""

    factor: Annotated[float, Meta(gt=0, le=1, description="give a factor in (0, 1]")] = 0.95


class CosineRate(Record, tag_field="kind", tag="cosine"):
    """Half a cosine from the full rate down to `floor` times it (Loshchilov & Hutter 2017)."""

    floor: Share = 0.0


class OneCycleRate(Record, tag_field="kind", tag="one_cycle"):
    """Up from rate/25 over the first `peak` of training, then down to rate/10000 (Smith 2018)."""

    peak: Annotated[float, Meta(gt=0, lt=1, description="give a share of training such as 0.3")] = 0.3


Schedule = ConstantRate | StepRate | ExponentialRate | CosineRate | OneCycleRate


class Train(Record):
    """How the network is trained.

    `learning_rate`: a number, "auto" (the optimizer's usual one) or "find" (a range test first).
    `warmup` epochs of linearly rising rate come before the schedule. `monitor` is the validation
    quantity whose best weights are kept; training stops after `patience` epochs in which it did not
    improve by `tolerance` (relative); patience 0 never stops. `l2` and `l1` are added to the loss
    (l2/2 * ||w||^2 + l1 * ||w||_1), `weight_decay` acts on the weights directly; biases are exempt.
    `max_norm` bounds each unit's incoming weights, `clip` the gradient's global norm; 0 is off.
    """

    epochs: Count = 100
    batch_size: Count = 32
    optimizer: Optimizer = Adam()
    learning_rate: Positive | Literal["auto", "find"] = "auto"
    schedule: Schedule = ConstantRate()
    warmup: NonNegative = 0.0
    patience: Annotated[int, Meta(ge=0, le=MOST, description="give a number of epochs; 0 never stops early")] = 10
    tolerance: NonNegative = 1e-4
    monitor: Literal["loss", "accuracy", "balanced_accuracy", "macro_f1", "r2"] = "loss"
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0
    weight_decay: NonNegative | Literal["auto"] = "auto"
    dropout: Rate = 0.0
    input_dropout: Rate = 0.0
    noise: NonNegative = 0.0
    max_norm: NonNegative = 0.0
    clip: NonNegative = 0.0
    time_limit: Duration = "none"


# ── search ──────────────────────────────────────────────────────────────────────────────────────


class Axis(Record):
    """One searched setting: exactly one of a log range, a range, a whole-number range or choices."""

    log: tuple[float, ...] = ()
    uniform: tuple[float, ...] = ()
    int: tuple[Any, ...] = ()
    choice: tuple[Any, ...] = ()


class Search(Record):
    """A search over settings; a key of `space` is a recipe path such as "train.learning_rate"."""

    method: Literal["grid", "random", "sobol", "bayes"] = "random"
    trials: Count = 32
    halving: bool = False
    space: dict[str, Axis] = {}


# ── the whole ───────────────────────────────────────────────────────────────────────────────────


class Recipe(Record, kw_only=True):
    """One experiment. `train` "auto" trains, unless the network's weights were set by hand."""

    layerwise: Annotated[int, Meta(ge=1)] = SCHEMA
    seed: Annotated[int, Meta(ge=0, lt=SEEDS, description="give a whole number from 0 to 4294967295")] = 0
    data: Data
    task: Task = AutoTask()
    network: Network = Mlp()
    train: Train | Literal["auto", "none"] = "auto"
    search: Search | Literal["none"] = "none"
