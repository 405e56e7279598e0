"""The process that scores baselines (`layerwise.tasks.apart` starts it), and what goes through its pipes.

It reads problems from its standard input and writes answers to its standard output:

    in    a line of JSON with all but the arrays, then the arrays' bytes
    out   "taken" once it is at work; a line of JSON for each baseline; "done"
"""

import gc
import os
import sys
import threading
from collections.abc import Iterator
from math import prod
from queue import Empty, SimpleQueue
from typing import IO

import msgspec
import numpy as np

from layerwise.data.dataset import Embedding, Target
from layerwise.tasks.baselines import Answer, Name, Problem, score_baselines

IDLE = 60.0  # seconds after which a process without a problem ends
TAKEN, DONE = b"taken\n", b"done\n"
ANSWER = msgspec.json.Decoder(Answer)


class _Header(msgspec.Struct, frozen=True):
    """A problem without its numbers; of each array its name, type and shape."""

    arrays: list[tuple[str, str, tuple[int, ...]]]
    embeddings: tuple[Embedding, ...]
    target: Target
    seed: int
    answered: tuple[Name, ...]


def send(pipe: IO[bytes], problem: Problem) -> None:
    """Write a problem. Raises `OSError` where nobody reads it."""
    own = {"x": problem.x, "y": problem.y, "weight": problem.weight, "train": problem.train}
    arrays = {**own, **{f"part {name}": rows for name, rows in problem.parts.items()}}
    header = _Header(
        arrays=[(name, array.dtype.str, array.shape) for name, array in arrays.items()],
        embeddings=problem.embeddings,
        target=problem.target,
        seed=problem.seed,
        answered=problem.answered,
    )
    pipe.write(msgspec.json.encode(header) + b"\n")
    for array in arrays.values():
        pipe.write(np.ascontiguousarray(array).data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Problem | None:
    """Read a problem; None where there is none any more."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        return None
    header = msgspec.json.decode(line, type=_Header)
    arrays = {}
    for name, kind, shape in header.arrays:
        content = pipe.read(prod(shape) * np.dtype(kind).itemsize)
        try:
            arrays[name] = np.frombuffer(content, kind).reshape(shape)
        except ValueError:  # cut short
            return None
    own = {name: arrays.pop(name) for name in ("x", "y", "weight", "train")}
    parts = {name.removeprefix("part "): rows for name, rows in arrays.items()}
    embeddings, target, seed, answered = header.embeddings, header.target, header.seed, header.answered
    return Problem(**own, parts=parts, embeddings=embeddings, target=target, seed=seed, answered=answered)


def _problems() -> Iterator[Problem]:
    """The problems as they come. The process ends with its input, whatever it is doing then."""
    waiting: SimpleQueue[Problem] = SimpleQueue()

    def listen() -> None:
        try:
            while problem := receive(sys.stdin.buffer):
                waiting.put(problem)
        finally:
            os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    _import_estimators()  # while the first problem is on its way
    while True:
        try:
            yield waiting.get(timeout=IDLE)
        except Empty:
            return


def _import_estimators() -> None:
    """Import what will be asked for, without what takes long and is of no use here."""
    gc.disable()  # what is imported stays, and need not be looked through again and again
    sys.modules["pandas"] = None  # type: ignore[assignment]  # scikit-learn would import it, to know a frame by sight
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.naive_bayes
    import sklearn.neighbors
    import sklearn.svm
    import sklearn.tree  # noqa: F401

    del sys.modules["pandas"]
    gc.freeze()
    gc.enable()


def main() -> None:
    """Answer problems until there are no more, on one core."""
    from threadpoolctl import threadpool_limits

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library may print is no answer
    for problem in _problems():
        answers.write(TAKEN)
        answers.flush()
        with threadpool_limits(1):
            for answer in score_baselines(problem):
                answers.write(msgspec.json.encode(answer) + b"\n")
                answers.flush()
        answers.write(DONE)
        answers.flush()


if __name__ == "__main__":
    try:
        main()
    except Exception:
        os._exit(1)
    os._exit(0)  # at once: an orderly end would wait for the listening thread
