"""What must hold among the declarations of an overlay, whatever the environment."""

from collections.abc import Iterator, Mapping

from ..errors import Mistake, nearest
from .declaration import DeclarationSpec, Key, SecretDeclaration
from .kubernetes import BASIC_AUTH, BASIC_AUTH_KEYS, REQUIRED_KEYS
from .template import Parts, parse, references

Declarations = Mapping[str, SecretDeclaration]


def mistakes(declarations: Declarations) -> Iterator[Mistake]:
    """All that is wrong in the declarations themselves."""
    for declaration in declarations.values():
        spec = declaration.spec
        yield from _keys(spec)
        yield from _type(spec)
        for name, key in spec.entries.items():
            yield from _fields(key)
            yield from _from(declarations, declaration, name, key)
            yield from _template(spec, name, key)
        yield from _inputs(spec)


def _keys(spec: DeclarationSpec) -> Iterator[Mistake]:
    if not spec.keys:
        yield Mistake("a declaration needs at least one key", spec.origin.key("keys"))
    for name in spec.inputs.keys() & spec.keys.keys():
        yield Mistake(f"{name} is a key and an input", spec.origin.key("inputs", name), "templates can name keys too")


def lacking(type_: str, keys: Mapping[str, object]) -> list[str]:
    """The keys that the API server demands of a Secret of this type and does not find."""
    if type_ == BASIC_AUTH:
        return [] if any(key in keys for key in BASIC_AUTH_KEYS) else [" or ".join(BASIC_AUTH_KEYS)]
    return [key for key in REQUIRED_KEYS.get(type_, ()) if key not in keys]


def _type(spec: DeclarationSpec) -> Iterator[Mistake]:
    for key in lacking(spec.type, spec.keys):
        yield Mistake(
            f"a Secret of type {spec.type} needs the key {key}", spec.origin.at("type"), nearest(key, spec.keys)
        )


def _fields(key: Key) -> Iterator[Mistake]:
    own: dict[str, object] = {
        "remoteName": key.remote_name,
        "property": key.property,
        "encoding": None if key.encoding == "none" else key.encoding,
        "generate": key.generate,
    }
    others: dict[str, dict[str, object]] = {
        "from": {**own, "rules": key.rules, "template": key.template},
        "template": own,
    }
    for field, said in (("from", key.from_), ("template", key.template)):
        for other, value in others[field].items():
            if said is not None and value is not None:
                yield Mistake(f"{field} and {other} exclude each other", key.origin.key(other))
    yield from _rules(key)


def _rules(key: Key) -> Iterator[Mistake]:
    rules, generate = key.rules, key.generate
    if generate and not 1 <= generate.length <= 4096:
        yield Mistake("length must lie between 1 and 4096", generate.origin.at("length"))
    if not rules:
        return
    for field, length in (("minLength", rules.min_length), ("maxLength", rules.max_length)):
        if length is not None and length < 0:
            yield Mistake(f"{field} can't be negative", rules.origin.at(field))
    shortest, longest = rules.min_length or 0, rules.max_length
    if longest is not None and shortest > longest:
        yield Mistake("minLength is greater than maxLength", rules.origin.at("minLength"))
    elif generate and (generate.length < shortest or (longest is not None and generate.length > longest)):
        yield Mistake("the generated length breaks the key's own rules", generate.origin.at("length"))


def root_of(declarations: Declarations, secret: str, name: str) -> tuple[str, str] | None:
    """Where a chain of `from` ends, as Secret and key; None if it leads nowhere or round."""
    seen = set()
    while (secret, name) not in seen:
        seen.add((secret, name))
        declaration = declarations.get(secret)
        key = declaration.spec.entries.get(name) if declaration else None
        if key is None:
            return None
        if key.from_ is None:
            return secret, name
        secret, _, name = key.from_.partition("/")
    return None


def _from(declarations: Declarations, declaration: SecretDeclaration, name: str, key: Key) -> Iterator[Mistake]:
    if key.from_ is None:
        return
    place = key.origin.at("from")
    root = root_of(declarations, declaration.name, name)
    if root is not None:
        if declarations[root[0]].spec.entries[root[1]].template is not None:
            yield Mistake(f"{key.from_} is made by a template", place, "write the template here too")
        return
    secret, _, wanted = key.from_.partition("/")
    found = declarations.get(secret)
    if found is None:
        yield Mistake(f"no declaration is named {secret}", place, nearest(secret, declarations))
    elif wanted not in found.spec.entries:
        yield Mistake(f"{secret} has no key {wanted}", place, nearest(wanted, found.spec.entries))
    else:
        yield Mistake(f"from: {key.from_} leads nowhere or round", place)


def _parsed(key: Key) -> Parts:
    try:
        return parse(key.template or "")
    except ValueError:
        return ()


def _template(spec: DeclarationSpec, name: str, key: Key) -> Iterator[Mistake]:
    if key.template is None:
        return
    place = key.origin.at("template")
    try:
        parts = parse(key.template)
    except ValueError as error:
        yield Mistake(str(error), place)
        return
    for reference in references(parts):
        if not reference.parameter and reference.name not in spec.entries:
            yield Mistake(
                f"the template names {reference.name}, which is no key and no input",
                place,
                nearest(reference.name, spec.entries),
            )
    if name in needed(spec, name):
        yield Mistake("the template needs itself", place)


def needed(spec: DeclarationSpec, name: str) -> list[str]:
    """The keys and inputs that a key's template reaches, directly or through others."""
    found: list[str] = []
    todo = [name]
    while todo:
        key = spec.entries.get(todo.pop())
        for reference in references(_parsed(key)) if key else ():
            if not reference.parameter and reference.name not in found:
                found.append(reference.name)
                todo.append(reference.name)
    return found


def _inputs(spec: DeclarationSpec) -> Iterator[Mistake]:
    used = {name for key in spec.keys for name in needed(spec, key)}
    for name in spec.inputs.keys() - used - spec.keys.keys():
        yield Mistake(f"no template uses the input {name}", spec.origin.key("inputs", name))
