"""Templates that differ between environments in their text alone: what differs becomes a parameter of each overlay."""

from collections.abc import Mapping, Sequence

from ..frozen import Record
from ..model.template import Part, Parts, Reference, parse
from .gotemplates import reference
from .matching import Matched
from .naming import Address, beginning

_WORD = "-_"  # a parameter is not cut out of the middle of a word


class Parameters(Record):
    """The one template of a key that several environments have, and what each environment sets for it."""

    templates: Mapping[Address, str]
    values: Mapping[str, Mapping[str, str]]


def derive(matched: Sequence[Matched]) -> Parameters:
    """The parameters that make templates one; where no parameter can, nothing is said of the key."""
    templates: dict[Address, str] = {}
    values: dict[str, dict[str, str]] = {each.found.name: {} for each in matched}
    for address in sorted({address for each in matched for address in _addresses(each)}):
        said = _templates(matched, address)
        if len(set(said.values())) < 2 or None in said.values():
            continue
        parts = {environment: parse(text or "") for environment, text in said.items()}
        if len({_frame(each) for each in parts.values()}) == 1:
            text, set_ = _joined("-".join(address), parts)
            templates[address] = text
            for environment, found in set_.items():
                values[environment] |= found
    return Parameters(templates=templates, values=values)


def _addresses(matched: Matched) -> list[Address]:
    return [(name, key) for name, secret in matched.secrets.items() for key in secret.keys]


def _templates(matched: Sequence[Matched], address: Address) -> dict[str, str | None]:
    """By environment that has the key; None where it is no template."""
    name, key = address
    return {
        each.found.name: each.secrets[name].keys[key].template
        for each in matched
        if name in each.secrets and key in each.secrets[name].keys
    }


def _frame(parts: Parts) -> tuple[object, ...]:
    """A template without its text."""
    return tuple(None if isinstance(part, str) else (part.name, part.parameter, part.filters) for part in parts)


def _joined(prefix: str, parts: Mapping[str, Parts]) -> tuple[str, dict[str, dict[str, str]]]:
    text = ""
    values: dict[str, dict[str, str]] = {environment: {} for environment in parts}
    for pieces in zip(*parts.values(), strict=True):
        if len(set(map(_written, pieces))) == 1:
            text += _written(pieces[0])
            continue
        texts = [piece for piece in pieces if isinstance(piece, str)]
        before, after = _around(texts)
        name = f"{prefix}-{len(next(iter(values.values()))) + 1}"
        text += before + reference(f"parameters.{name}") + after
        for environment, piece in zip(parts, texts, strict=True):
            values[environment][name] = piece[len(before) : len(piece) - len(after)]
    return text, values


def _written(part: Part) -> str:
    return reference(part.name, *part.filters) if isinstance(part, Reference) else part


def _around(texts: Sequence[str]) -> tuple[str, str]:
    """What all texts begin and end with, in whole words."""
    before = _to_a_boundary(beginning(texts))
    rests = [text[len(before) :][::-1] for text in texts]
    return before, _to_a_boundary(beginning(rests))[::-1]


def _to_a_boundary(text: str) -> str:
    while text and (text[-1].isalnum() or text[-1] in _WORD):
        text = text[:-1]
    return text
