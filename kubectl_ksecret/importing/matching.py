"""One logical Secret or key under two names: what the user says is the same becomes one, what looks so is named."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from ..errors import InputError, Mistake, nearest
from ..frozen import Record
from .found import FoundKey, FoundSecret
from .gotemplates import names_in
from .naming import Address
from .reading import Found

_ALIKE = 0.75


class Same(NamedTuple):
    """What has one name and another, as SECRET or SECRET/KEY; the second one stays."""

    old: str
    new: str

    def __str__(self) -> str:
        return f"--same {self.old}={self.new}"


class Matched(Record):
    """An environment after that: its Secrets by their new names, and where each was found.

    `renamed` are whole Secrets, by their old names; `resealed` are the addresses whose value was sealed for
    the old name, or stands under it in a plain Secret.
    """

    found: Found
    secrets: Mapping[str, FoundSecret]
    renamed: Mapping[str, str]
    moved: frozenset[Address]  # as they were found
    received: frozenset[Address]  # as they are now
    resealed: Sequence[str]
    notes: Sequence[str]


def match(found: Sequence[Found], same: Iterable[Same]) -> list[Matched]:
    """All environments under one set of names. Raises InputError for what can't be the same."""
    matched = [
        Matched(
            found=each, secrets=each.secrets, renamed={}, moved=frozenset(), received=frozenset(), resealed=(), notes=()
        )
        for each in found
    ]
    for pair in same:
        _refuse_unknown(found, pair)
        whole = "/" not in pair.old
        matched = [(_secret if whole else _key)(each, pair) for each in matched]
    return matched


def _refuse_unknown(found: Sequence[Found], pair: Same) -> None:
    known = {name for each in found for name in each.secrets}
    known |= {f"{name}/{key}" for each in found for name, secret in each.secrets.items() for key in secret.keys}
    if ("/" in pair.old) != ("/" in pair.new):
        raise InputError(Mistake(f"{pair}: a Secret and a key can't be the same"))
    for each in pair:
        if each not in known:
            raise InputError(Mistake(f"{pair}: no environment has {each}", hint=nearest(each, known)))


def _secret(matched: Matched, pair: Same) -> Matched:
    if pair.old not in matched.secrets:
        return matched
    if pair.new in matched.secrets:
        raise InputError(Mistake(f"{pair}: {matched.found.name} has both"))
    secret = matched.secrets[pair.old]
    others = {name: each for name, each in matched.secrets.items() if name != pair.old}
    lost = secret.ciphertext if matched.found.scope == "strict" else {}
    kept = {key: text for key, text in secret.ciphertext.items() if key not in lost}
    return matched.but(
        secrets=others | {pair.new: secret.but(name=pair.new, ciphertext=kept)},
        renamed={old: pair.new if new == pair.old else new for old, new in matched.renamed.items()}
        | {pair.old: pair.new},
        resealed=[*matched.resealed, *(f"{pair.new}/{key}" for key in (lost or _plain_keys(secret)))],
        notes=[*matched.notes, _renamed(matched, pair)],
    )


def _plain_keys(secret: FoundSecret) -> Sequence[str]:
    """The keys whose values stand under the old name in a plain Secret."""
    return list(secret.keys) if secret.kind == "Secret" else []


def _renamed(matched: Matched, pair: Same) -> str:
    return f"{matched.found.name}: {pair.old} is {pair.new} now; what reads it there has to read the new name"


def _key(matched: Matched, pair: Same) -> Matched:
    (old_secret, old), (new_secret, new) = _address(pair.old), _address(pair.new)
    secret = matched.secrets.get(old_secret)
    if secret is None or old not in secret.keys:
        return matched
    target = matched.secrets.get(new_secret)
    if target and new in target.keys:
        raise InputError(Mistake(f"{pair}: {matched.found.name} has both"))
    users = [key for key, each in secret.keys.items() if each.template and old in names_in(each.template)]
    if secret.keys[old].template or users:
        what = f"template of {users[0]} needs it" if users else "template makes it"
        raise InputError(Mistake(f"{pair}: in {matched.found.name} a {what}", secret.keys[old].place))
    found = secret.keys[old]
    text = {new: secret.ciphertext[old]} if old in secret.ciphertext else {}
    rest = _without(secret, old)
    base = rest if old_secret == new_secret else target or FoundSecret(name=new_secret, document=secret.document)
    lost = text if old_secret != new_secret and matched.found.scope == "strict" else {}
    kept = {} if lost else text
    changed = {
        old_secret: rest,
        new_secret: base.but(keys={**base.keys, new: found}, ciphertext={**base.ciphertext, **kept}),
    }
    secrets = {name: each for name, each in {**matched.secrets, **changed}.items() if each.keys}
    return matched.but(
        secrets=secrets,
        moved=matched.moved | {(old_secret, old)},
        received=matched.received | {(new_secret, new)},
        resealed=[*matched.resealed, *([pair.new] if lost or _plain_keys(secret) else [])],
        notes=[*matched.notes, _renamed(matched, pair)],
    )


def _without(secret: FoundSecret, key: str) -> FoundSecret:
    keys: Mapping[str, FoundKey] = {name: each for name, each in secret.keys.items() if name != key}
    return secret.but(keys=keys, ciphertext={name: text for name, text in secret.ciphertext.items() if name != key})


def _address(text: str) -> Address:
    secret, _, key = text.partition("/")
    return secret, key


def alike(matched: Sequence[Matched]) -> Iterator[tuple[Same, str, str]]:
    """What only the first environment has and only the second, though it looks like one; with both names."""
    told: set[frozenset[str]] = set()
    for index, one in enumerate(matched):
        for other in matched[index + 1 :]:
            for pair in (*_alike_secrets(one, other), *_alike_keys(one, other)):
                if frozenset(pair) not in told:
                    told.add(frozenset(pair))
                    yield pair, one.found.name, other.found.name


def _alike_secrets(one: Matched, other: Matched) -> list[Same]:
    """Secrets that only one of the two has, and that have most of their keys in common."""
    found = []
    theirs = [name for name in other.secrets if name not in one.secrets and name not in one.found.stays]
    for name in one.secrets:
        if name in other.secrets or name in other.found.stays:
            continue
        keys = one.secrets[name].keys.keys()
        for second in theirs:
            common = keys & other.secrets[second].keys.keys()
            if 2 * len(common) > max(len(keys), len(other.secrets[second].keys)):
                found.append(Same(name, second))
                theirs.remove(second)
                break
    return found


def _alike_keys(one: Matched, other: Matched) -> Iterator[Same]:
    whole = {name for pair in _alike_secrets(one, other) for name in pair}
    ours, theirs = _only(one, other, whole), _only(other, one, whole)
    for first in ours:
        best = max(theirs, key=lambda second, key=first[1]: _ratio(key, second[1]), default=None)  # type: ignore[misc]
        if best and _ratio(first[1], best[1]) >= _ALIKE:
            theirs.remove(best)
            yield Same("/".join(first), "/".join(best))


def _only(one: Matched, other: Matched, whole: set[str]) -> list[Address]:
    """The keys that the other lacks."""
    return [
        (name, key)
        for name, secret in one.secrets.items()
        if name not in whole and name not in other.found.stays
        for key in secret.keys
        if name not in other.secrets or key not in other.secrets[name].keys
    ]


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
