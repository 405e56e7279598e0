"""A state of the playground as a short text, for a link: what was begun with, and all that was changed since.

Weights are in no link. Everything random follows from (seed, step), so the recipe, the changes with their
steps, and the step to go to are the whole state, and replaying them on the server leads to the same bits. What
is written is a JSON text, deflated, in letters that an address may have:

    {"recipe": {"train": {"learning_rate": 0.1}}, "edits": [[120, {"train": {"l2": 0.01}}], [150, [0, 1, null, 2.5]]]}

`recipe` says how the first one differs from the one that the Studio begins with; each edit how the recipe
differs from the one before, or which weight was given which value. `start` is the seed of the first weights,
where it is another than the recipe's.

A link is written by whoever likes to. It can do nothing that a page cannot do anyway: its recipes pass
`allowed.check_data`, its edits are those of the page, and how long it is, how much it unpacks to, how many edits
it has and how many steps it leads to are bounded. It starts no run.
"""

import base64
import binascii
import zlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from layerwise.errors import RecipeError
from layerwise.recipe import Recipe, load, plain
from layerwise.studio.allowed import UPLOAD, check_data, files_of
from layerwise.studio.games.session import DEFAULT, Session
from layerwise.studio.games.way import Way, onward
from layerwise.studio.history.journal import Journal, Typed

LETTERS, EDITS = 8192, 256  # of a link's state, and changes on the way
MOST_LETTERS, MOST_EDITS = 64 << 10, 1024  # the same of what is read: a page comes back to more than it shares
UNPACKED = 256 << 10  # bytes that it may unpack to
STEPS = 10_000_000  # that are replayed

Number = Annotated[int, Meta(ge=0, lt=1 << 31)]
Place = Annotated[int, Meta(ge=0, lt=1 << 16)]
Seed = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class _State(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    recipe: dict[str, Any]
    start: Seed | None = None
    edits: list[tuple[Number, dict[str, Any] | tuple[Place, Place, Place | None, float]]] = []


class Shared(NamedTuple):
    """A state as read: the recipe that was begun with, and what was changed since, with the steps.

    `start` is the seed of the first weights, where it is another than the recipe's.
    """

    first: Recipe
    start: int | None
    journal: Journal


# ── writing ─────────────────────────────────────────────────────────────────────────────────────


def kept(session: Session) -> dict[str, Any]:
    """What a page keeps to come back to where it stands over another line, up to step `most`."""
    if session.timeline.begin:
        return {"state": _written(session.recipe, session.start, []), "step": 0, "most": 0}
    return {"state": written(session), "step": session.step, "most": STEPS}


def written(session: Session) -> str:
    """The text of where a session stands."""
    return _written(session.first, session.start, session.journal)


def _written(first: Recipe, start: int | None, journal: Journal) -> str:
    edits: list[Any] = []
    begun = before = plain(first)
    for step, edit in journal:
        if isinstance(edit, Recipe):
            now = plain(edit)
            edits.append((step, difference(now, before)))
            before = now
        else:
            edits.append((step, tuple(edit)))
    text = msgspec.json.encode(_State(difference(begun, _begun()), start, edits))
    return base64.urlsafe_b64encode(zlib.compress(text, 9)).decode().rstrip("=")


def link(session: Session) -> dict[str, Any]:
    """What a link to a session carries: `state` and `step`; and in `note`, in words, what stays behind.

    Raises `RecipeError` where the data has no place in a link.
    """
    step, journal = session.step, session.journal
    if named := [path for path in sorted(files_of(session.first.data)) if not UPLOAD.fullmatch(path)]:
        raise RecipeError(
            "a link names generated and built-in data, drawn points, and files that were dropped on the page",
            received=", ".join(named),
            remedy="send the file and the recipe",
            place="data",
        )
    text, note = written(session), ""
    if step > STEPS:
        note = f"more than {STEPS:,} steps are not replayed"
    elif session.timeline.begin or len(journal) > EDITS or len(text) > LETTERS:
        note = f"a link has up to {EDITS} changes and {LETTERS:,} letters"
    if note:
        text, step = _written(session.recipe, session.start, []), 0
        note = f"{note}: it begins with the present settings"
    if len(text) > LETTERS:
        raise RecipeError(
            f"a link has up to {LETTERS:,} letters", received=f"{len(text):,}", remedy="send the recipe as a file"
        )
    return {"state": text, "step": step, "note": note}


def _begun() -> dict[str, Any]:
    return plain(load(DEFAULT))


def difference(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What is other than before, key by key; what is of another kind as a whole.

    >>> difference({"a": 1, "b": {"kind": "x", "c": 2, "d": 3}}, {"a": 1, "b": {"kind": "x", "c": 2, "d": 4}})
    {'b': {'d': 3}}
    """
    found: dict[str, Any] = {}
    for key, value in now.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and value.get("kind") == old.get("kind"):
            if inner := difference(value, old):
                found[key] = inner
        elif value != old:
            found[key] = value
    return found


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The base with what is other: the inverse of `difference`.

    >>> merged({"a": 1, "b": {"kind": "x", "c": 2, "d": 4}}, {"b": {"d": 3}})
    {'a': 1, 'b': {'kind': 'x', 'c': 2, 'd': 3}}
    """
    found = dict(base)
    for key, value in changes.items():
        old = found.get(key)
        inner = (
            isinstance(value, dict) and isinstance(old, dict) and value.get("kind", old.get("kind")) == old.get("kind")
        )
        found[key] = merged(old, value) if inner and isinstance(old, dict) else value
    return found


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


def read(text: str, launched: Recipe) -> Shared:
    """What a text says, all of it checked. Raises `RecipeError`."""
    try:
        said = msgspec.json.decode(_unpacked(text), type=_State)
        return _checked(said, launched)
    except msgspec.DecodeError as error:
        raise _wrong(str(error)) from None
    except RecursionError:
        raise _wrong("too many brackets") from None


def _unpacked(text: str) -> bytes:
    if len(text) > MOST_LETTERS:
        raise _wrong(f"{len(text):,} letters; it may have {MOST_LETTERS:,}")
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        inflating = zlib.decompressobj()
        found = inflating.decompress(packed, UNPACKED)
    except (ValueError, binascii.Error, zlib.error):
        raise _wrong("letters that are none") from None
    if inflating.unconsumed_tail or not inflating.eof or inflating.unused_data:
        raise _wrong("one that was cut short, or unpacks to too much")
    return found


def _checked(said: _State, launched: Recipe) -> Shared:
    if len(said.edits) > MOST_EDITS:
        raise _wrong(f"{len(said.edits):,} changes; it may have {MOST_EDITS:,}")
    first = now = _recipe(_begun(), said.recipe, launched)
    journal: Journal = []
    last = 0
    for step, edit in said.edits:
        if step < last:
            raise _wrong("changes that are out of order")
        last = step
        if isinstance(edit, dict):
            now = _recipe(plain(now), edit, launched)
            if (now.data, now.task, now.seed) != (first.data, first.task, first.seed):
                raise _wrong("a change of the data on the way")
            journal.append((step, now))
        else:
            journal.append((step, Typed(*edit)))
    return Shared(first, said.start, journal)


def _recipe(base: dict[str, Any], changes: dict[str, Any], launched: Recipe) -> Recipe:
    recipe = load(merged(base, changes))
    check_data(recipe, launched)
    return recipe


def _wrong(received: str) -> RecipeError:
    return RecipeError(
        "a link carries a state of the Studio, as Share wrote it", received=received, remedy="copy the whole link anew"
    )


def replay(session: Session, shared: Shared, step: int) -> Way:
    """Begin a session anew, and the way to `step` of a state: to train and change as was done. Raises `RecipeError`."""
    if step > STEPS:
        raise RecipeError(
            f"a link leads to step {STEPS:,} at most", received=f"{step:,}", remedy="open it at an earlier step"
        )
    session.begin(shared.first, shared.start)
    return Way(step, _way(session, shared.journal, step))


def _way(session: Session, journal: Journal, step: int) -> Iterator[None]:
    """Go to a step part by part, changing what was changed; less far where training ends before."""
    for at, edit in journal:
        if at > step:
            break
        yield from onward(session, at - session.step).pieces
        if isinstance(edit, Recipe):
            session.change(edit)
        else:
            session.type_weight(*edit)
        yield
    yield from onward(session, step - session.step).pieces
