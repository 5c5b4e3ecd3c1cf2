"""All rules of `check`, in the order in which their findings are reported."""

from . import (
    Rule,
    access,
    buildable,
    ciphertext,
    environments,
    exceptions,
    hazards,
    injector,
    kustomize,
    limits,
    operator,
    parity,
    placeholders,
    plaintext,
    references,
    restart,
    sealed,
    stores,
    tracked,
    tree,
    values,
    waves,
)

OF_REPOSITORY: tuple[Rule, ...] = (
    *tree.RULES,
    *buildable.RULES,
    *kustomize.RULES,
    *sealed.RULES,
    *limits.RULES,
    *ciphertext.RULES,
    *environments.RULES,
    *parity.RULES,
    *references.RULES,
    *plaintext.RULES,
    *placeholders.RULES,
    *stores.RULES,
    *operator.RULES,
    *tracked.RULES,
    *waves.RULES,
    *restart.RULES,
    *access.RULES,
    *hazards.RULES,
    *injector.RULES,
)
OF_VALUES: tuple[Rule, ...] = values.RULES
OF_EXCEPTIONS: tuple[Rule, ...] = exceptions.RULES
ALL = (*OF_REPOSITORY, *OF_VALUES, *OF_EXCEPTIONS)
