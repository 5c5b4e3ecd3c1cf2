"""A backend or a source that is typed as YAML, as it stands in `spec` of an overlay."""

from collections.abc import Collection
from typing import Any

from .. import yamlio
from ..errors import InputError, Mistake, nearest, shown

_EXAMPLES = {"backend": "sops: {age: [age1…]}"}
_EXAMPLE = 'vault: {address: "https://vault.example:8200", mount: secret}'


def member(option: str, typed: str, noun: str, known: Collection[str]) -> tuple[str, Any]:
    """Return the one backend or source that an option is given, such as `sops: {}` or just `sops`, and its fields.

    `noun` says what the `known` ones are. Raises InputError for anything else; the fields are not looked at.
    """
    documents, mistakes = yamlio.read_foreign(typed, option)
    value = documents[0].value if len(documents) == 1 and not mistakes else None
    if isinstance(value, str):
        value = {value: {}}
    if not isinstance(value, dict) or len(value) != 1:
        hint = f"as in {option} '{_EXAMPLES.get(noun, _EXAMPLE)}'"
        raise InputError(Mistake(f"{option} takes one {noun} as YAML", hint=hint))
    [(field, members)] = value.items()
    if field not in known:
        hint = nearest(str(field), known) or f"there are {', '.join(known)}"
        raise InputError(Mistake(f"{option}: no {noun} is named {shown(str(field))}", hint=hint))
    return str(field), {} if members is None else members
