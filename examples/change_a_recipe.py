"""A recipe is plain data: start from a built-in one, change a setting, write it as TOML."""

from pathlib import Path

from layerwise import recipe
from layerwise.errors import RecipeError

larger = recipe.load("xor", ["network.hidden=[16, 16]", "train.optimizer=adamw"])
print(f"hidden layers: {larger.network.hidden}, optimizer: {larger.train.optimizer}")

# The file has every value written out, so it says all there is to say about the experiment.
Path("larger.toml").write_text(recipe.to_toml(larger))
assert recipe.load("larger.toml") == larger

# What does not exist is refused, with what was probably meant.
try:
    recipe.load("xor", ["train.learning_rte=0.1"])
except RecipeError as error:
    print(error)
