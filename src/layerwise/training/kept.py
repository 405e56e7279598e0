"""Programs kept whole on disk, so that the next process that needs one neither traces nor compiles it.

JAX keeps what the compiler made of a program, but has to trace and lower the program again to know which
it is: for the padded program that is four fifths of the wait. So here the name on disk follows from what a
program is made of: the sources of this package, the versions of the libraries it was traced from and of the
compiler, the machine, and the structure and shapes of the arguments.

A file is machine code with a pickled description of its arguments, as much to be trusted as the folder it is
in; so files that others own or may write are not read (docs/decisions/0013-programs-kept-whole.md).
"""

import contextlib
import dataclasses
import hashlib
import os
import pickle
import platform
import secrets
import threading
import time
from collections.abc import Callable, Hashable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from layerwise import files
from layerwise.training.compile import options

DIGEST = hashlib.sha256().digest_size
OLD = 30 * 24 * 3600  # seconds
AT_HAND = 256  # programs


class Kept:
    """A function, compiled for each structure and shapes of its arguments, and kept on disk.

    The first `static` arguments are part of the program: hashable, and told apart by what they are made of.
    `donated` is the place of an argument whose memory the result may take over; `tiny` as in `compile.options`.

    >>> import numpy as np
    >>> double = Kept(lambda x: 2 * x, tiny=True)
    >>> double(np.float32(21)), len(double)
    (Array(42., dtype=float32), 1)
    """

    def __init__(
        self, function: Callable[..., Any], *, tiny: bool, static: int = 0, donated: int | None = None
    ) -> None:
        self._function, self._tiny, self._static, self._donated = function, tiny, static, donated
        self._making: dict[Hashable, threading.Lock] = {}
        self._programs: dict[Hashable, Any] = {}
        self._dropping = threading.Lock()

    def __len__(self) -> int:
        """How many programs are at hand, one for each structure and shapes of the arguments."""
        return len(self._programs)

    def __call__(self, *arguments: Any) -> Any:
        """What the function gives."""
        static, arrays = arguments[: self._static], arguments[self._static :]
        leaves, structure = jax.tree.flatten(arrays)
        kind = (static, structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
        program = self._programs.get(kind)
        if program is None:
            with self._making.setdefault(kind, threading.Lock()):
                program = self._programs.get(kind) or self._made(arguments)
                with self._dropping:
                    self._programs[kind] = program
                    if len(self._programs) > AT_HAND:  # the system allows a process so many pieces of memory
                        self._programs.pop(next(iter(self._programs)))
                    self._making.pop(kind, None)  # who waits for it has it
        return program(*arrays)

    def _made(self, arguments: tuple[Any, ...]) -> Any:
        static, arrays = arguments[: self._static], arguments[self._static :]
        leaves, structure = jax.tree.flatten(arrays)
        shapes = [(leaf.shape, leaf.dtype.name) for leaf in leaves]
        where = self._function.__module__, self._function.__qualname__
        chosen = options(tiny=self._tiny)
        told = repr((*where, _told(static), structure, shapes, chosen, self._donated))
        kind, made_of = _digest(told), _digest(repr(_made_of()))
        folder = _folder() if " at 0x" not in told else None  # an address in memory tells nothing apart
        path = folder / f"{kind}-{made_of}.program" if folder else None
        if path and (found := _read(path)) is not None:
            return found

        def function(*arguments: Any) -> Any:
            return self._function(*arguments)

        # JAX gives back what it has kept under a name, but that can be run only, not be written again.
        function.__name__ = f"{self._function.__name__}_{secrets.token_hex(8)}"
        jitted = jax.jit(
            function,
            static_argnums=tuple(range(self._static)),
            donate_argnums=self._donated,
            compiler_options=chosen,
        )
        compiled = jitted.lower(*arguments).compile()
        if path:
            _write(path, compiled)
            _sweep(path, f"jit_{function.__name__}-*")
        return compiled


def _told(value: Any) -> Any:
    """What a static argument is made of, in words that are the same in every process."""
    if dataclasses.is_dataclass(value):
        fields = [(field.name, _told(getattr(value, field.name))) for field in dataclasses.fields(value)]
        return type(value).__qualname__, fields
    if isinstance(value, frozenset):
        return sorted(map(_told, value))
    return [_told(each) for each in value] if isinstance(value, tuple) else value


def _digest(told: str) -> str:
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _sources() -> str:
    """What the modules of this package say; "" where they are not files."""
    package = Path(__file__).parents[1]
    hashed = hashlib.sha256()
    found = sorted(package.rglob("*.py"))
    for path in found:
        hashed.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    return hashed.hexdigest() if found else ""


SOURCES = _sources()  # as they are now that they are imported, whatever is written there later
FLAGS = os.environ.get("XLA_FLAGS")  # as the compiler reads them, once


@lru_cache(maxsize=1)
def _made_of() -> tuple[Any, ...]:
    """What a program depends on apart from its arguments."""
    device, config = _device(), _config()
    return (
        SOURCES,
        (
            jax.__version__,
            *(version(name) for name in ("jaxlib", "equinox", "optax")),
            *(device.platform, device.device_kind, device.id, jax.device_count()),
        ),
        (config.jax_enable_x64, config.jax_default_matmul_precision, FLAGS),
        (platform.machine(), platform.node(), _instructions()),
    )


def _device() -> jax.Device:
    """Where a program runs: on one device, where arrays are put by themselves."""
    device: jax.Device = jax.device_put(np.int32(0)).device
    return device


def _instructions() -> str:
    """The instructions that the processor knows, where the system tells."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return platform.processor()


def _config() -> Any:
    return jax.config  # untyped


def _folder() -> Path | None:
    """A folder of our own where JAX keeps compiled programs, too; None where it keeps none."""
    config = _config()
    folder = config.jax_compilation_cache_dir if config.jax_enable_compilation_cache and SOURCES else None
    return Path(folder) / "whole" if folder and os.path.isabs(folder) else None  # else it is in a bucket


def _read(path: Path) -> Any:
    """The program of a file; None where there is none, it is damaged, or others may have written it."""
    from jax.experimental import serialize_executable

    try:
        with path.open("rb") as file:
            if not (_own(os.fstat(file.fileno())) and _own(path.parent.stat())):
                return None
            content = file.read()
        if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # it is in use
        code, given, result = pickle.loads(content[DIGEST:])  # noqa: S301  (see above)
        # Without a word of it a program would be loaded for all devices that there are, to be given a part each.
        return serialize_executable.deserialize_and_load(
            code, jax.tree.structure(given), jax.tree.structure(result), execution_devices=[_device()]
        )
    except Exception:  # whatever is wrong with it: it is compiled again, and written over
        return None


def _own(found: os.stat_result) -> bool:
    """Whether a file or folder is this user's alone to write; where the system knows no owners, it is."""
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def _write(path: Path, compiled: Any) -> None:
    from jax.experimental import serialize_executable

    if _sources() != SOURCES:  # it was made of what stood there before
        return
    with contextlib.suppress(Exception):  # a full disk, a device without serialization: the next start takes longer
        code, *structures = serialize_executable.serialize(compiled)
        # As trees of numbers: a structure with modules of Equinox in it does not come back whole.
        content = pickle.dumps((code, *(each.unflatten(range(each.num_leaves)) for each in structures)))
        files.make_folder(path.parent)
        path.parent.chmod(0o700)  # whatever the user lets others write elsewhere
        files.write(path, hashlib.sha256(content).digest() + content)
        path.chmod(0o600)


def _sweep(latest: Path, twice: str) -> None:
    """Remove what nobody has used for long, and what JAX has kept of the latest one `twice`."""
    long_ago = time.time() - OLD
    for path in latest.parent.glob("*.program"):
        with contextlib.suppress(OSError):
            if path != latest and path.stat().st_mtime < long_ago:
                path.unlink()
    for path in latest.parent.parent.glob(twice):
        with contextlib.suppress(OSError):
            path.unlink()
