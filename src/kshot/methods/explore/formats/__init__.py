"""Trees at rest: nested JSON, a Markdown outline, the layout of the paper's release, a person's edits."""

from kshot.methods.explore.formats.edits import merged
from kshot.methods.explore.formats.outline import outline_of, tree_of_outline
from kshot.methods.explore.formats.released import load_released, save_released

__all__ = ["load_released", "merged", "outline_of", "save_released", "tree_of_outline"]
