"""Where the command line's words go: results to stdout, everything else to stderr."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from layerwise.progress.screen import messages
from layerwise.progress.wording import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def results() -> "Console":
    """The console for results: standard output."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def show(*blocks: "RenderableType") -> None:
    """Print results one below the other; elsewhere than on a terminal without spaces at the lines' ends."""
    console = results()
    if console.is_terminal:
        for block in blocks:
            console.print(block)
        return
    with console.capture() as capture:
        for block in blocks:
            console.print(block)
    write("\n".join(line.rstrip() for line in capture.get().splitlines()))


def interactive() -> bool:
    """Whether someone reads standard output on a terminal."""
    return sys.stdout.isatty()


def write(text: str) -> None:
    """Write text to standard output as it is, with a final line break."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def write_json(value: Mapping[str, Any]) -> None:
    """Write exactly one JSON object to standard output."""
    import msgspec

    write(msgspec.json.encode(value).decode())


_STYLES = {"error": "bold red", "note": "bold yellow", "interrupted": "bold yellow", "done": "bold green"}


def say(label: str, message: str) -> None:
    """Say something on standard error: an "error", a "note", that it was "interrupted" or is "done".

    Control characters in `message` are shown escaped.
    """
    from rich.text import Text

    messages().print(Text.assemble((f"{label}:", _STYLES[label]), " ", printable(message)), soft_wrap=True)


def prepare_streams() -> None:
    """Make the standard streams safe to write to, whatever the shell left of them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: `layerwise ... >&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without a sign for ★ shows ?


@contextmanager
def importing() -> Iterator[None]:
    """For imports of JAX: a Ctrl-C is answered after them, and no garbage is collected meanwhile.

    Breaking them off was seen to end in a segmentation fault; and JAX has itself called at each
    collection, where Python drops a KeyboardInterrupt. Collecting would also cost an eighth of the time.
    """
    caught: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: caught.append(number)) if _in_main_thread() else None
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what is imported stays, and need not be looked through
        gc.enable()
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
    if caught:
        raise KeyboardInterrupt


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def silence(stream: Any) -> None:
    """Send what is still buffered to nowhere, so that the interpreter does not stumble over it at its end."""
    try:
        target = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, target)
    os.close(nowhere)
