"""How the keys of declarations lead to each other: by `from`, and by what their templates name."""

from collections.abc import Mapping

from .template import Parts, Unparsable, parse, references
from .types.declaration import DeclarationSpec, Key, SecretDeclaration

Declarations = Mapping[str, SecretDeclaration]


def parsed(key: Key) -> Parts:
    """Return the template of a key; nothing of one that is wrong."""
    try:
        return parse(key.template or "")
    except Unparsable:
        return ()


def needed(spec: DeclarationSpec, name: str) -> list[str]:
    """Return the keys and inputs that a key's template reaches, directly or through others."""
    reached: list[str] = []
    todo = [name]
    while todo:
        key = spec.entries.get(todo.pop())
        for reference in references(parsed(key)) if key and key.template else ():
            if not reference.parameter and reference.name not in reached:
                reached.append(reference.name)
                todo.append(reference.name)
    return reached


def chain_of(declarations: Declarations, secret: str, name: str) -> list[tuple[str, str]]:
    """Return the keys that `from` leads through, the first one too, until it ends, leads nowhere or comes round."""
    chain: list[tuple[str, str]] = []
    key: Key | None = None
    while (secret, name) not in chain:
        declaration = declarations.get(secret)
        key = declaration.spec.entries.get(name) if declaration else None
        if key is None:
            break
        chain.append((secret, name))
        if key.from_ is None:
            break
        secret, _, name = key.from_.partition("/")
    return chain


def root_of(declarations: Declarations, secret: str, name: str) -> tuple[str, str]:
    """Return where `from` leads, as Secret and key; the key itself where it has none, or leads nowhere or round."""
    root_secret, root_name = chain_of(declarations, secret, name)[-1]
    ends = declarations[root_secret].spec.entries[root_name].from_ is None
    return (root_secret, root_name) if ends else (secret, name)
