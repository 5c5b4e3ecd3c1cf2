"""Templates that differ between environments in their text alone: what differs becomes a parameter of each overlay."""

import re
from collections.abc import Mapping, Sequence

from ..frozen import Record
from ..model.template import Part, Parts, Reference, parse
from .gotemplates import reference
from .matching import MatchedEnvironment
from .naming import KeyAddress, beginning

_WORD = "-_"  # a parameter is not cut out of the middle of a word


class Parameters(Record):
    """The one template of a key that several environments have, and what each environment sets for it."""

    templates: Mapping[KeyAddress, str]
    values: Mapping[str, Mapping[str, str]]


def derive(matched: Sequence[MatchedEnvironment], declared: Mapping[KeyAddress, str]) -> Parameters:
    """Return the parameters that make templates one; a key for which none can is left out.

    Of a template that is `declared` already the parameters are those that make it each environment's.
    """
    templates: dict[KeyAddress, str] = {}
    values: dict[str, dict[str, str]] = {environment.name: {} for environment in matched}
    for address in sorted(declared):
        for environment, template in _templates(matched, address).items():
            values[environment] |= _solved(declared[address], template or "")
    for address in sorted(
        {address for environment in matched for address in _addresses(environment)} - declared.keys()
    ):
        written = _templates(matched, address)
        if len(set(written.values())) < 2 or None in written.values():
            continue
        parts = {environment: parse(text or "") for environment, text in written.items()}
        if len({_frame(template) for template in parts.values()}) == 1:
            templates[address], texts = _joined("-".join(address), parts)
            for environment, parameters in texts.items():
                values[environment] |= parameters
    return Parameters(templates=templates, values=values)


def _solved(declared: str, template: str) -> dict[str, str]:
    """Return the parameters with which a declared template is this one; none where it can't be."""
    pattern, names = "", set()
    for part in parse(declared):
        if isinstance(part, str) or not part.parameter:
            pattern += re.escape(_written(part))
        elif part.name in names:
            pattern += f"(?P={_group(part.name)})"
        else:
            names.add(part.name)
            pattern += f"(?P<{_group(part.name)}>.*?)"
    match = re.fullmatch(pattern, template, re.DOTALL)
    return {name: match.group(_group(name)) for name in names} if match else {}


def _group(name: str) -> str:
    """Return a name of a group of a regular expression, which may have fewer characters in it."""
    return "p" + name.encode().hex()


def _addresses(matched: MatchedEnvironment) -> list[KeyAddress]:
    return [(name, key) for name, secret in matched.secrets.items() for key in secret.keys]


def _templates(matched: Sequence[MatchedEnvironment], address: KeyAddress) -> dict[str, str | None]:
    """Return the template by environment that has the key; None where it is no template."""
    name, key = address
    return {
        environment.name: environment.secrets[name].keys[key].template
        for environment in matched
        if name in environment.secrets and key in environment.secrets[name].keys
    }


def _frame(parts: Parts) -> tuple[object, ...]:
    """Return a template without its text."""
    return tuple(None if isinstance(part, str) else (part.name, part.parameter, part.filters) for part in parts)


def _joined(prefix: str, parts: Mapping[str, Parts]) -> tuple[str, dict[str, dict[str, str]]]:
    """Return the one template, and the parameters of each environment."""
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
    """Return what all texts begin and end with, in whole words."""
    before = _to_a_boundary(beginning(texts))
    rests = [text[len(before) :][::-1] for text in texts]
    return before, _to_a_boundary(beginning(rests))[::-1]


def _to_a_boundary(text: str) -> str:
    while text and (text[-1].isalnum() or text[-1] in _WORD):
        text = text[:-1]
    return text
