"""All rules of `check`, in the order in which their findings are told."""

from . import Rule, sealed, tree, values
from .landscape import of_each_scene

OF_LANDSCAPE: tuple[Rule, ...] = (
    *tree.RULES,
    *map(of_each_scene, sealed.RULES),
)
OF_VALUES: tuple[Rule, ...] = values.RULES
ALL = (*OF_LANDSCAPE, *OF_VALUES)
