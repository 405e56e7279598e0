"""The words between page and server: what a page may ask for, read with limits, and how it is answered.

Commands are JSON texts `{"id": 7, "do": "step", "batches": 1}`. Each is answered by its id, with the
scene or with an error in words; only `painted`, which tells that a frame was drawn, is not answered.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from layerwise.errors import LayerwiseError, RecipeError

MESSAGE_BYTES = 128 << 10  # of a message from the page
BATCHES = 10_000  # trained by one command; to go on longer there is `play`

Id = Annotated[int, Meta(ge=0, lt=1 << 53)]
Step = Annotated[int, Meta(ge=0, lt=1 << 31)]
Place = Annotated[int, Meta(ge=0, lt=1 << 16)]
Name = Annotated[str, Meta(max_length=200)]
Value = float | bool | Annotated[str, Meta(max_length=200)] | None
Batches = Annotated[int, Meta(ge=1, le=BATCHES)]


class Command(msgspec.Struct, tag_field="do", forbid_unknown_fields=True, kw_only=True):
    """What every command has: the number that it is answered by."""

    id: Id


class Hello(Command, tag="hello"):
    """Asks for the scene."""


class Play(Command, tag="play"):
    """Trains until told otherwise, or to an end."""


class Pause(Command, tag="pause"):
    """Stops where it is."""


class Forward(Command, tag="step"):
    """Trains for some batches."""

    batches: Batches = 1


class Epochs(Command, tag="epochs"):
    """Trains to the end of this epoch and `count` - 1 further ones; a negative `count` goes back to beginnings."""

    count: Annotated[int, Meta(ge=-BATCHES, le=BATCHES)]


class Back(Command, tag="back"):
    """Goes some batches back."""

    batches: Batches = 1


class Seek(Command, tag="seek"):
    """Goes to a step that was reached."""

    step: Step


class Reset(Command, tag="reset"):
    """Begins anew, from the same weights."""


class Return(Command, tag="return"):
    """Goes back to the line of training that was left last."""


class Share(Command, tag="share"):
    """Asks for a link's content: the state and the step."""


class Keep(Command, tag="keep"):
    """Asks for what leads back to where the playground stands, should the line be cut."""


class Follow(Command, tag="follow"):
    """Goes to the state and step of a link."""

    state: str
    step: Step = 0


class Set(Command, tag="set"):
    """Changes one key of the recipe."""

    path: Annotated[str, Meta(min_length=1, max_length=200)]
    value: Any


class Draw(Command, tag="draw"):
    """Turns a figure's points into ones that may be drawn and moved."""


class NewRecipe(Command, tag="recipe"):
    """Goes over to another recipe."""

    toml: str


class Weight(Command, tag="weight"):
    """Types in one weight, or with `source` null one bias."""

    layer: Place
    unit: Place
    source: Place | None
    value: float


class Sheet(Command, tag="sheet"):
    """Asks for back-propagation in numbers for one row of the data."""

    row: Step


class Distributions(Command, tag="distributions"):
    """Asks for what each layer's units do on the training rows, and the gradients that reach it."""


class Programs(Command, tag="programs"):
    """Asks for the recipe as a command and as a program."""


class Test(Command, tag="test"):
    """Shows the test part, or hides it; that it was looked at is counted."""

    show: bool


class Playground(Command, tag="playground"):
    """Plays one network, with the recipe of what was played before."""


class Compare(Command, tag="compare"):
    """Plays the recipe beside the same with some keys otherwise, by their paths."""

    other: dict[Annotated[str, Meta(min_length=1, max_length=200)], Any]


class Many(Command, tag="many"):
    """Plays the recipe from many initial weights, or with many learning rates."""

    vary: Literal["start", "rate"]


class Race(Command, tag="race"):
    """Searches the learning rate and one more setting in three ways; `draw` is the seed of what is drawn."""

    against: Annotated[str, Meta(min_length=1, max_length=200)]
    draw: Annotated[int, Meta(ge=0, lt=1 << 31)] = 0


class Alone(Command, tag="alone"):
    """Goes over to the playground with one of many networks, or with the settings of a trial."""

    lane: Place


class Plane(Command, tag="plane"):
    """Shows the square over two columns, or over two principal components."""

    over: tuple[Name, Name] | Literal["auto", "pca"]


class Ask(Command, tag="ask"):
    """Asks what the network says of a row: `inputs` by name or in the columns' order, or else `drawn` dots."""

    inputs: dict[Name, Value] | Annotated[list[Value], Meta(max_length=64)] = []
    drawn: Annotated[str, Meta(pattern="^([01]{4096})?$", max_length=4096)] = ""


class Painted(Command, tag="painted", kw_only=True):
    """Says that a frame was drawn, and the next may come."""

    id: Id = 0
    revision: Step
    step: Step


Known = (
    Hello
    | Play
    | Pause
    | Forward
    | Epochs
    | Back
    | Seek
    | Reset
    | Set
    | Draw
    | NewRecipe
    | Weight
    | Sheet
    | Plane
    | Ask
    | Distributions
    | Programs
    | Test
    | Return
    | Share
    | Keep
    | Follow
    | Playground
    | Compare
    | Many
    | Race
    | Alone
    | Painted
)

Games = Playground | Compare | Many | Race | Alone  # goes over to another game
# What every game knows.
Everywhere = (
    Hello | Play | Pause | Forward | Epochs | Back | Seek | Reset | Set | NewRecipe | Share | Keep | Follow | Games
)
# What may be asked for on a way to a step, which goes on; all else ends it where it stands.
Waiting = Hello | Play | Test | Plane | Share | Keep | Sheet | Distributions | Programs | Ask

_decoder = msgspec.json.Decoder(Known)


class _Numbered(msgspec.Struct):
    id: Id | None = None


def decoded(message: str | bytes) -> Known:
    """The command of a message.

    >>> decoded('{"id": 3, "do": "step", "batches": 2}')
    Forward(batches=2, id=3)

    Raises `RecipeError` with what is wrong with it.
    """
    if isinstance(message, bytes):
        raise _wrong("a message of bytes")
    if len(message) > MESSAGE_BYTES:
        raise RecipeError(f"a message has up to {MESSAGE_BYTES:,} bytes", received=f"{len(message):,}")
    try:
        command: Known = _decoder.decode(message)
        return command
    except msgspec.DecodeError as error:
        raise _wrong(str(error)) from None
    except RecursionError:
        raise _wrong("too many brackets") from None


def _wrong(received: str) -> RecipeError:
    return RecipeError(
        "the Studio takes commands as JSON",
        received=received,
        remedy='such as {"id": 1, "do": "step", "batches": 1}',
    )


def number(message: str | bytes) -> int | None:
    """The id of a message that is no command, so that its sender learns which it was.

    >>> number('{"id": 3, "do": "fly"}'), number("fly")
    (3, None)
    """
    if isinstance(message, bytes):
        return None
    try:
        return msgspec.json.decode(message, type=_Numbered).id
    except (msgspec.DecodeError, RecursionError):
        return None


# ── answers ─────────────────────────────────────────────────────────────────────────────────────


def answer(id: int, scene: Mapping[str, Any], **more: Any) -> str:
    """What was asked for is done, and this is how it looks now."""
    return _encoded({"id": id, "ok": True, "scene": scene, **more})


def refusal(id: int | None, error: LayerwiseError) -> str:
    """What was asked for is not done, and this is why."""
    return _encoded({"id": id, "ok": False, "error": _parts(error)})


def _parts(error: LayerwiseError) -> dict[str, str]:
    return {name: getattr(error, name) for name in ("rule", "received", "remedy", "place")}


def ready(scene: Mapping[str, Any]) -> str:
    """What was prepared is played from now on."""
    return _encoded({"event": "ready", "scene": scene})


def failed(scene: Mapping[str, Any], error: LayerwiseError) -> str:
    """What was prepared is not played, and this is why."""
    return _encoded({"event": "failed", "scene": scene, "error": _parts(error)})


def moved(scene: Mapping[str, Any]) -> str:
    """The way to where a link leads has come to a change, or to its end."""
    return _encoded({"event": "moved", "scene": scene})


def ended(scene: Mapping[str, Any]) -> str:
    """Playing came to an end by itself."""
    return _encoded({"event": "ended", "scene": scene})


def _encoded(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
