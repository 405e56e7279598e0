"""Programs kept whole on disk, so that the next process that needs one neither traces nor compiles it.

JAX keeps what the compiler made of a program, but has to trace and lower the program again to know which
it is: for the padded program that is four fifths of the wait. What is played with is always the same few
programs, so here the name on disk follows from what a program is made of: the sources of this package, the
versions of JAX and of the compiler, the machine, and the shapes of the arguments.
"""

import contextlib
import hashlib
import os
import pickle
import platform
import threading
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from layerwise import files
from layerwise.errors import LayerwiseError
from layerwise.training.compile import options

DIGEST = hashlib.sha256().digest_size
OLD = 30 * 24 * 3600  # seconds
HIT = "/jax/compilation_cache/cache_hits"


class Kept:
    """A function compiled for the shapes of its first call's arguments, and kept on disk.

    `donated` is the place of an argument whose memory the result may take over; `tiny` as in `compile.options`.

    >>> import numpy as np
    >>> double = Kept(lambda x: 2 * x, tiny=True)
    >>> double(np.float32(21))
    Array(42., dtype=float32)
    """

    def __init__(self, function: Callable[..., Any], *, tiny: bool, donated: int | None = None) -> None:
        self._function, self._tiny, self._donated = function, tiny, donated
        self._making = threading.Lock()
        self._program: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """What the function gives. Raises `TypeError` for arguments of other shapes than those of the first call."""
        if self._program is None:
            with self._making:
                self._program = self._program or self._made(arguments)
        return self._program(*arguments)

    def _made(self, arguments: tuple[Any, ...]) -> Any:
        shapes = [(leaf.shape, leaf.dtype.name) for leaf in jax.tree.leaves(arguments)]
        what = (self._function.__module__, self._function.__qualname__, shapes, self._tiny, self._donated)
        kind, made_of = _digest(what), _digest(_made_of())
        folder = _folder()
        path = folder / f"{kind}-{made_of}.program" if folder else None
        if path and (found := _read(path)) is not None:
            return found

        def function(*arguments: Any) -> Any:
            return self._function(*arguments)

        function.__name__ = f"{self._function.__name__}_{made_of}"  # no other of this name was kept by JAX before
        jitted = jax.jit(function, donate_argnums=self._donated, compiler_options=options(tiny=self._tiny))
        lowered = jitted.lower(*arguments)
        with _hits() as hits:
            compiled = lowered.compile()
        if path and not hits:  # what JAX has read from its own files can be run, but not be written again
            _write(path, compiled)
            _sweep(path, kind)
        return compiled


def _digest(what: Any) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _made_of() -> tuple[Any, ...]:
    """What a program depends on apart from its arguments."""
    package = Path(__file__).parents[1]
    sources = sorted((str(path.relative_to(package)), path.stat()) for path in package.rglob("*.py"))
    device, config = jax.devices()[0], _config()
    return (
        [(name, stat.st_mtime_ns, stat.st_size) for name, stat in sources],
        (jax.__version__, version("jaxlib"), device.platform, device.device_kind, jax.device_count()),
        (config.jax_enable_x64, os.environ.get("XLA_FLAGS")),
        (platform.machine(), platform.node(), _instructions()),
    )


def _instructions() -> str:
    """The instructions that the processor knows, where the system tells."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return platform.processor()


def _config() -> Any:
    return jax.config  # untyped


def _folder() -> Path | None:
    """Where JAX keeps compiled programs, too; None where it keeps none."""
    config = _config()
    folder = config.jax_compilation_cache_dir if config.jax_enable_compilation_cache else None
    return Path(folder) if folder and os.path.isabs(folder) else None  # else it is in a bucket


def _read(path: Path) -> Any:
    """The program of a file; None where there is none, or it is damaged."""
    from jax.experimental import serialize_executable

    try:
        content = path.read_bytes()
        if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            return None
        return serialize_executable.deserialize_and_load(*pickle.loads(content[DIGEST:]))  # noqa: S301  (as much ours as JAX's own files of machine code beside it)
    except Exception:  # whatever is wrong with it: it is compiled again, and written over
        return None


def _write(path: Path, compiled: Any) -> None:
    from jax.experimental import serialize_executable

    content = pickle.dumps(serialize_executable.serialize(compiled))
    with contextlib.suppress(OSError, LayerwiseError):  # a full disk costs the next start a second, no more
        files.make_folder(path.parent)
        files.write(path, hashlib.sha256(content).digest() + content)


def _sweep(latest: Path, kind: str) -> None:
    """Remove what older versions have kept of the same program."""
    for path in latest.parent.glob(f"{kind}-*.program"):
        with contextlib.suppress(OSError):
            if path != latest and time.time() - path.stat().st_mtime > OLD:
                path.unlink()


@contextlib.contextmanager
def _hits() -> Iterator[list[str]]:
    """What JAX reads from its own files in this thread meanwhile."""
    own = threading.get_ident()
    found: list[str] = []

    def heard(event: str, **_: Any) -> None:
        if event == HIT and threading.get_ident() == own:
            found.append(event)

    jax.monitoring.register_event_listener(heard)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_listener(heard)
