"""All rules of `check`, in the order in which their findings are told."""

from . import (
    Rule,
    ciphertext,
    environments,
    exceptions,
    kustomize,
    operator,
    parity,
    placeholders,
    plaintext,
    references,
    repository,
    restart,
    sealed,
    stores,
    tree,
    values,
    waves,
)
from .landscape import of_each_scene

OF_LANDSCAPE: tuple[Rule, ...] = (
    *tree.RULES,
    *kustomize.RULES,
    *map(of_each_scene, sealed.RULES),
    *ciphertext.RULES,
    *environments.RULES,
    *parity.RULES,
    *references.RULES,
    *plaintext.RULES,
    *placeholders.RULES,
    *stores.RULES,
    *operator.RULES,
    *repository.RULES,
    *waves.RULES,
    *restart.RULES,
)
OF_VALUES: tuple[Rule, ...] = values.RULES
OF_EXCEPTIONS: tuple[Rule, ...] = exceptions.RULES
ALL = (*OF_LANDSCAPE, *OF_VALUES, *OF_EXCEPTIONS)
