"""What must hold in a declaration, and among the declarations of an overlay, whatever the environment."""

import sys
from collections.abc import Iterable, Iterator, Mapping

from ...errors import Mistake, nearest
from ..kubernetes import BASIC_AUTH, BASIC_AUTH_KEYS, REQUIRED_KEYS, SERVICE_ACCOUNT, SERVICE_ACCOUNT_NAME
from ..links import Declarations, chain_of, needed
from ..template import Unparsable, parse, references
from ..types.declaration import Alphabet, DeclarationSpec, Format, Generate, Key, Rules, SecretDeclaration
from ..types.origin import Origin

_RESERVED = "ksecret.dev/"
_LENGTHS = range(1, 4097)
# Any text of these alphabets has the format; of another one, or another format, only by luck if at all.
_ALPHABETS: Mapping[Format, tuple[Alphabet, ...]] = {
    "alphanumeric": ("alphanumeric", "hex", "digits"),
    "url-safe": ("alphanumeric", "url-safe", "hex", "digits"),
    "base64": ("alphanumeric", "hex", "digits"),
}


def mistakes_in(declaration: SecretDeclaration) -> Iterator[Mistake]:
    """Find all that is wrong in one declaration, read whole or in part, without a look at the others."""
    spec = declaration.spec
    yield from _keys(spec)
    yield from _type(spec)
    yield from _readers(spec)
    yield from reserved(spec.origin, "labels", spec.labels)
    yield from reserved(spec.origin, "annotations", spec.annotations)
    for key in (*spec.keys.values(), *spec.inputs.values()):
        yield from _fields(key)
        if key.rules:
            yield from _rules(key.rules)
        if key.generate:
            yield from _generate(key.generate)
        if key.rules and key.generate:
            yield from _generated(key.generate, key.rules)
    wrong = [mistake for name, key in spec.entries.items() for mistake in _template(spec, name, key)]
    yield from wrong
    if not wrong:  # else an input may be what the template should have named
        yield from _inputs(spec)


def _keys(spec: DeclarationSpec) -> Iterator[Mistake]:
    if not spec.keys and spec.origin.sure_of("keys"):
        yield Mistake("a declaration needs at least one key", spec.origin.key("keys"))
    for name in spec.inputs:
        if name in spec.keys:
            place = spec.origin.key("inputs", name)
            yield Mistake(f"{name} is a key and an input", place, "leave the input out: templates can name keys too")


def lacking(type_: str, keys: Mapping[str, object]) -> list[str]:
    """Return the keys that the API server demands of a Secret of this type and does not find."""
    if type_ == BASIC_AUTH:
        return [] if any(key in keys for key in BASIC_AUTH_KEYS) else [" or ".join(BASIC_AUTH_KEYS)]
    return [key for key in REQUIRED_KEYS.get(type_, ()) if key not in keys]


def _type(spec: DeclarationSpec) -> Iterator[Mistake]:
    place = spec.origin.at("type")
    for key in lacking(spec.type, spec.keys) if spec.keys else ():
        yield Mistake(f"a Secret of type {spec.type} needs the key {key}", place)
    named = SERVICE_ACCOUNT_NAME in spec.annotations or not spec.origin.sure_of("annotations")
    if spec.type == SERVICE_ACCOUNT and not named:
        yield Mistake(f"a Secret of type {spec.type} needs the annotation {SERVICE_ACCOUNT_NAME}", place)


def _readers(spec: DeclarationSpec) -> Iterator[Mistake]:
    readers = spec.readers or ()
    for index, name in enumerate(readers):
        if name in readers[:index]:
            yield Mistake(f"{name} is a reader already", spec.origin.element("readers", index), "leave one of them out")


def reserved(origin: Origin, section: str, names: Mapping[str, str]) -> Iterator[Mistake]:
    """Find labels or annotations that this tool writes itself."""
    for name in names:
        if name.lower().startswith(_RESERVED):
            yield Mistake(f"{name}: the prefix {_RESERVED} is this tool's own", origin.key(section, name))


def _fields(key: Key) -> Iterator[Mistake]:
    if key.from_ is None and key.template is None:
        return
    own: dict[str, object] = {
        "remoteName": key.remote_name,
        "property": key.property,
        "encoding": None if key.encoding == "none" else key.encoding,
        "generate": key.generate,
        "rotation": key.rotation,
    }
    others: dict[str, dict[str, object]] = {
        "from": {**own, "rules": key.rules, "template": key.template},
        "template": own,
    }
    for field, stated in (("from", key.from_), ("template", key.template)):
        for other, value in others[field].items():
            if stated is not None and value is not None:
                yield Mistake(f"{field} and {other} exclude each other", key.origin.key(other))


def _rules(rules: Rules) -> Iterator[Mistake]:
    for field, length in (("minLength", rules.min_length), ("maxLength", rules.max_length)):
        if length is not None and length < 0:
            yield Mistake(f"{field} can't be negative", rules.origin.at(field))
    if rules.min_length is not None and rules.max_length is not None and rules.min_length > rules.max_length >= 0:
        yield Mistake("minLength is greater than maxLength", rules.origin.at("minLength"))


def _generate(generation: Generate) -> Iterator[Mistake]:
    if generation.private_key is not None:
        for field, other in (("length", generation.length), ("alphabet", generation.alphabet)):
            if other is not None:
                place = generation.origin.key(field)
                yield Mistake(f"privateKey and {field} exclude each other", place, "leave one of them out")
    elif generation.length is None and generation.origin.sure_of("length", "privateKey"):
        yield Mistake("one of length, privateKey is missing", generation.origin.at())
    elif generation.length is not None and generation.length not in _LENGTHS:
        yield Mistake("length must lie between 1 and 4096", generation.origin.at("length"))


def _generated(generation: Generate, rules: Rules) -> Iterator[Mistake]:
    """Find what no generated value can satisfy, when it is declared and not only when somebody waits for the value."""
    if any(_generate(generation)) or not generation.origin.sure_of("length", "alphabet", "privateKey"):
        return
    if generation.length is not None and not any(_rules(rules)):
        longest = sys.maxsize if rules.max_length is None else rules.max_length
        if not (rules.min_length or 0) <= generation.length <= longest:
            yield Mistake("the generated length breaks the key's own rules", generation.origin.at("length"))
    if rules.format is not None and (hint := _mended(generation, rules.format)) is not None:
        yield Mistake(f"what is generated is not of the format {rules.format}", rules.origin.at("format"), hint)


def _mended(generation: Generate, format_: Format) -> str | None:
    """Return what to change so that a generated value has the format; None if it has."""
    if format_ == "pem":
        return None if generation.private_key else "generate a privateKey instead"
    if format_ not in _ALPHABETS:
        return (
            "generate an input, and make the URL with a template"
            if format_.endswith("url")
            else "leave one of them out"
        )
    if generation.private_key:
        return "a private key has the format pem"
    if (generation.alphabet or "alphanumeric") not in _ALPHABETS[format_]:
        return f"alphabets that fit: {', '.join(_ALPHABETS[format_])}"
    if format_ == "base64" and generation.length is not None and generation.length % 4:
        return "a length that is a multiple of 4 fits"
    return None


def _template(spec: DeclarationSpec, name: str, key: Key) -> Iterator[Mistake]:
    if key.template is None:
        return
    place = key.origin.at("template")
    try:
        parts = parse(key.template)
    except Unparsable as error:
        yield Mistake(str(error), place, error.hint)
        return
    for reference in references(parts) if spec.origin.sure_of("keys", "inputs") else ():
        if not reference.parameter and reference.name not in spec.entries:
            yield Mistake(
                f"the template names {reference.name}, which is no key and no input",
                place,
                nearest(reference.name, spec.entries),
            )
    if name in needed(spec, name):
        yield Mistake("the template needs itself", place)


def _inputs(spec: DeclarationSpec) -> Iterator[Mistake]:
    if not spec.inputs:
        return
    if not all(key.origin.sure_of("template") for key in spec.entries.values()) or not spec.origin.sure_of("keys"):
        return
    used = {name for key in spec.keys for name in needed(spec, key)}
    for name in spec.inputs:
        if name not in used and name not in spec.keys:
            place = spec.origin.key("inputs", name)
            yield Mistake(f"no template uses the input {name}", place, "what the Secret itself holds stands in keys")


def mistakes_among(read: Iterable[SecretDeclaration], declarations: Declarations, complete: bool) -> Iterator[Mistake]:
    """Find every `from` that leads nowhere in all that was read.

    Where a declaration may be missing from `declarations` because it could not be read, nothing is said of it.
    """
    for declaration in read:
        for name, key in declaration.spec.entries.items():
            if key.from_ is not None:
                yield from _from(declarations, (declaration.name, name), key, key.from_, complete)


def _from(
    declarations: Declarations, itself: tuple[str, str], key: Key, address: str, complete: bool
) -> Iterator[Mistake]:
    place = key.origin.at("from")
    secret, _, name = address.partition("/")
    declaration = declarations.get(secret)
    if declaration is None:
        if complete:
            yield Mistake(f"no declaration is named {secret}", place, nearest(secret, declarations))
    elif name not in declaration.spec.entries:
        if declaration.spec.origin.sure_of("keys", "inputs"):
            yield Mistake(f"{secret} has no key {name}", place, nearest(name, declaration.spec.entries))
    elif declaration.spec.entries[name].template is not None:
        yield Mistake(f"{address} is made by a template", place, "write the template here too")
    elif itself in chain_of(declarations, secret, name):
        yield Mistake("from leads back to this key", place, "one of the keys must have a value of its own")
