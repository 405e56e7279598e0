"""The command line: words in, words out.

`main` runs one command and turns every error into a message and an exit code: 0 done, 1 the run
failed, 2 bad input, 130 stopped by Ctrl-C with nothing to show. A training that Ctrl-C ends in order is
done: its best weights are scored and saved, and its status, "interrupted", says that there could be more.
Nothing heavy is imported before a command needs it.
"""

import errno
import gc
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from layerwise.cli import console, data, doctor, inspect, playing, recipes, runs, training, tuning, using
from layerwise.errors import LayerwiseError

PROGRAM = "layerwise"
TRACEBACK = "LAYERWISE_TRACEBACK"  # set to see where a fault comes from
UsageError: type = typer.BadParameter.__mro__[1]  # Typer carries its own copy of click, or uses click's

# What the operating system says of a path or a disk that the user chose.
BAD_INPUT = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL,
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT,
}  # fmt: skip

app = typer.Typer(
    name=PROGRAM,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help comes in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(training.train)
app.command("tune")(tuning.tune)
app.command("resume")(training.resume)
app.command("evaluate")(using.evaluate)
app.command("predict")(using.predict)
app.command("report")(using.report)
app.add_typer(inspect.app, name="inspect")
app.command("play")(playing.play)
app.command("init")(recipes.init)
app.command("recipes")(recipes.recipes)
app.add_typer(data.app, name="data")
app.add_typer(runs.app, name="runs")
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> bool:
    if wanted:
        console.write(f"{PROGRAM} {doctor.version_of(PROGRAM)}")
        raise typer.Exit
    return wanted


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train, evaluate and use neural networks on your own data, from one file.

    \b
    Start with:
      layerwise train digits          a built-in recipe
      layerwise init FILE -t COLUMN   a recipe for your own table

    Exit codes: 0 done, 1 the run failed, 2 bad input, 130 stopped by Ctrl-C before there was a result.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` are the words after the program's name."""
    _prepare_process()
    console.prepare_streams()
    code = _guarded(tuning.completed(sys.argv[1:] if argv is None else argv) or ["--help"])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:  # a pipe that was closed, a disk that is full
            code = code or (1 if error.errno == errno.EPIPE else _explain(error))
            console.silence(stream)
    return code


def _prepare_process() -> None:
    """Settings for speed of a process that is ours alone."""
    gc.set_threshold(100_000)  # imports and tracing make objects by the hundred thousand, nearly all to stay
    # Read when NumPy is imported. Its products are small here, and its threads would spin on XLA's cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _guarded(words: list[str]) -> int:
    """Run a command; whatever it raises becomes a message and an exit code."""
    try:
        with typer.main.get_command(app).make_context(PROGRAM, words) as context:
            context.command.invoke(context)
        return 0
    except typer.Exit as exit:
        return exit.exit_code
    except (KeyboardInterrupt, typer.Abort):
        console.say("interrupted", "stopped")
        return 130
    except BrokenPipeError:
        console.silence(sys.stdout)
        return 1
    except Exception as error:
        return _explain(error)


def _explain(error: Exception) -> int:
    """Say what went wrong; the exit code."""
    if isinstance(error, LayerwiseError):
        console.say("error", str(error))
        return error.exit_code
    if isinstance(error, UsageError):
        console.say("error", str(_usage(error)))
        return 2
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" in str(error)):
        remedy = "use less data, a smaller network or a smaller train.batch_size"
        received = str(error).partition("\n")[0]  # a device's is a RuntimeError of JAX
        console.say("error", str(LayerwiseError("there is not enough memory", received=received, remedy=remedy)))
        return 1
    if isinstance(error, OSError):
        place = str(error.filename or "")
        console.say("error", str(LayerwiseError(error.strerror or str(error), place=place)))
        return 2 if error.errno in BAD_INPUT else 1
    if os.environ.get(TRACEBACK):
        raise error
    received = f"{type(error).__name__}: {error}".partition("\n")[0]
    remedy = f"please report it, with what {TRACEBACK}=1 prints before the command"
    console.say("error", str(LayerwiseError("this is a fault in layerwise", received=received, remedy=remedy)))
    return 1


def _usage(error: Exception) -> LayerwiseError:
    """A mistake in the command line, with the nearest that would be right."""
    context = getattr(error, "ctx", None)
    rule = getattr(error, "message", "") if hasattr(error, "possibilities") else error.format_message()  # type: ignore[attr-defined]
    rule, _, hint = str(rule).partition(" Did you mean ")
    if possible := getattr(error, "possibilities", None):
        hint = f"{' or '.join(sorted(possible))}?"
    command = context.command_path if context else PROGRAM
    return LayerwiseError(rule.rstrip(". \n"), remedy=f"did you mean {hint}" if hint else f"see: {command} --help")
