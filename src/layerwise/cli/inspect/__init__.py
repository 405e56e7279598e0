"""The `inspect` commands: look inside a network, one file each.

Every command takes a run's folder, a model file or a recipe, and gives a table, JSON, or a page.
"""

import typer

from layerwise.cli.inspect import activations, backprop, diagnose, gradcheck, landscape, overfit, summary, surface

app = typer.Typer(help="Look inside a network.", no_args_is_help=True, rich_markup_mode=None)
app.command("summary")(summary.command)
app.command("backprop")(backprop.command)
app.command("gradcheck")(gradcheck.command)
app.command("landscape")(landscape.command)
app.command("overfit")(overfit.command)
app.command("surface")(surface.command)
app.command("activations")(activations.command)
app.command("diagnose")(diagnose.command)
