"""One logical Secret or key under two names: what the user says is the same becomes one, what looks so is named."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from ..errors import InputError, Mistake, nearest
from ..frozen import Record
from .gotemplates import names_in
from .naming import KeyAddress
from .secrets import ImportedKey, ImportedSecret
from .selecting import ImportedEnvironment

_ALIKE = 0.75


class Same(NamedTuple):
    """What has one name and another, as SECRET or SECRET/KEY; the second one stays."""

    old: str
    new: str

    def __str__(self) -> str:
        return f"--same {self.old}={self.new}"

    @property
    def is_of_keys(self) -> bool:
        """Whether it is about keys, and not about whole Secrets."""
        return "/" in self.old


class MatchedEnvironment(Record):
    """An environment after that: its Secrets by their new names, and where each was found.

    `renamed` are whole Secrets, by their old names; `resealed` are the addresses whose value was sealed for
    the old name, or stands under it in a plain Secret.
    """

    imported: ImportedEnvironment
    secrets: Mapping[str, ImportedSecret]
    renamed: Mapping[str, str] = {}
    moved: frozenset[KeyAddress] = frozenset()  # as they were found
    received: frozenset[KeyAddress] = frozenset()  # as they are now
    resealed: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.imported.name


def match(environments: Sequence[ImportedEnvironment], same: Iterable[Same]) -> list[MatchedEnvironment]:
    """Return all environments under one set of names. Raises InputError for what can't be the same.

    Whole Secrets are renamed first, whatever the order of the options; a key is found by its Secret's old name too.
    What stays as it is has its own name still, so nothing is done about it.
    """
    matched = [MatchedEnvironment(imported=environment, secrets=environment.secrets) for environment in environments]
    pairs = list(same)
    for pair in pairs:
        if pair.is_of_keys != ("/" in pair.new):
            raise InputError(Mistake(f"{pair}: a Secret and a key can't be the same"))
    renamed: dict[str, str] = {}
    for pair in pairs:
        if not pair.is_of_keys:
            matched = _applied(pair, pair, matched)
            renamed[pair.old] = pair.new
    for pair in pairs:
        if pair.is_of_keys:
            now = Same(_renamed_address(pair.old, renamed), _renamed_address(pair.new, renamed))
            matched = _applied(pair, now, matched)
    return matched


def _renamed_address(text: str, renamed: Mapping[str, str]) -> str:
    secret, key = address(text)
    return f"{renamed.get(secret, secret)}/{key}"


def _applied(given: Same, pair: Same, matched: Sequence[MatchedEnvironment]) -> list[MatchedEnvironment]:
    """Return the environments with one pair made one. Raises InputError where that changes nothing."""
    names = {name for environment in matched for name in environment.secrets}
    addresses = {
        f"{name}/{key}"
        for environment in matched
        for name, secret in environment.secrets.items()
        for key in secret.keys
    }
    staying = {name for environment in matched for name in environment.imported.staying}
    for shown, name in zip(given, pair, strict=True):
        if name.partition("/")[0] in staying:
            return list(matched)
        if name not in names | addresses:
            raise InputError(Mistake(f"{given}: no environment has {shown}", hint=nearest(shown, names | addresses)))
    changed = [(_with_key if pair.is_of_keys else _with_secret)(environment, pair, given) for environment in matched]
    if all(before is after for before, after in zip(matched, changed, strict=True)):
        raise InputError(Mistake(f"{given} changes nothing", hint="leave it out"))
    return changed


def _with_secret(matched: MatchedEnvironment, pair: Same, given: Same) -> MatchedEnvironment:
    if pair.old not in matched.secrets or pair.old == pair.new:
        return matched
    if pair.new in matched.secrets:
        raise InputError(Mistake(f"{given}: {matched.name} has both"))
    secret = _unsealed(matched.secrets[pair.old])
    others = {name: other for name, other in matched.secrets.items() if name != pair.old}
    lost = secret.ciphertext if matched.imported.scope == "strict" else {}
    ciphertext = {key: text for key, text in secret.ciphertext.items() if key not in lost}
    return matched.but(
        secrets=others | {pair.new: secret.but(name=pair.new, ciphertext=ciphertext)},
        renamed={old: pair.new if new == pair.old else new for old, new in matched.renamed.items()}
        | {pair.old: pair.new},
        resealed=[*matched.resealed, *(f"{pair.new}/{key}" for key in (lost or _plain_keys(secret)))],
        notes=[*matched.notes, _rename(matched, pair)],
    )


def _plain_keys(secret: ImportedSecret) -> Sequence[str]:
    """Return the keys whose values stand under the old name in a plain Secret."""
    return list(secret.keys) if secret.kind == "Secret" else []


def _unsealed(secret: ImportedSecret) -> ImportedSecret:
    """Return a Secret of SOPS without what it holds: a value is bound to its key, and the MAC to all of them."""
    return secret.but(ciphertext={}) if secret.is_sops else secret


def _rename(matched: MatchedEnvironment, pair: Same) -> str:
    return f"{matched.name}: {pair.old} is {pair.new} now; what reads it there has to read the new name"


def _with_key(matched: MatchedEnvironment, pair: Same, given: Same) -> MatchedEnvironment:
    (old_secret, old), (new_secret, new) = address(pair.old), address(pair.new)
    secret = matched.secrets.get(old_secret)
    if secret is None or old not in secret.keys or pair.old == pair.new:
        return matched
    secret, target = _unsealed(secret), matched.secrets.get(new_secret)
    target = _unsealed(target) if target else None
    if target and new in target.keys:
        raise InputError(Mistake(f"{given}: {matched.name} has both"))
    users = [key for key, other in secret.keys.items() if old in names_in(other.template or "")]
    if secret.keys[old].template is not None or users:
        reason = f"template of {users[0]} needs it" if users else "template makes it"
        raise InputError(Mistake(f"{given}: in {matched.name} a {reason}", secret.keys[old].place))
    text = {new: secret.ciphertext[old]} if old in secret.ciphertext else {}
    rest = _without(secret, old)
    base = rest if old_secret == new_secret else target or ImportedSecret(name=new_secret, document=secret.document)
    lost = text if old_secret != new_secret and matched.imported.scope == "strict" else {}
    changed = {
        old_secret: rest,
        new_secret: base.but(
            keys={**base.keys, new: secret.keys[old]}, ciphertext={**base.ciphertext, **({} if lost else text)}
        ),
    }
    # A value that is sealed anew under its Secret's new name is sealed under the key's new one too.
    resealed = [name for name in matched.resealed if name != pair.old]
    anew = lost or _plain_keys(secret) or len(resealed) < len(matched.resealed)
    return matched.but(
        secrets={name: other for name, other in {**matched.secrets, **changed}.items() if other.keys},
        moved=matched.moved | {(old_secret, old)},
        received=matched.received | {(new_secret, new)},
        resealed=[*resealed, *([pair.new] if anew else [])],
        notes=[*matched.notes, _rename(matched, pair)],
    )


def _without(secret: ImportedSecret, key: str) -> ImportedSecret:
    keys: Mapping[str, ImportedKey] = {name: other for name, other in secret.keys.items() if name != key}
    return secret.but(keys=keys, ciphertext={name: text for name, text in secret.ciphertext.items() if name != key})


def address(text: str) -> KeyAddress:
    """Return the Secret and the key of SECRET/KEY."""
    secret, _, key = text.partition("/")
    return secret, key


def alike(matched: Sequence[MatchedEnvironment]) -> Iterator[tuple[Same, str, str]]:
    """Yield what only one environment has and only another, though it looks like one; with both names."""
    seen: set[frozenset[str]] = set()
    for index, one in enumerate(matched):
        for other in matched[index + 1 :]:
            for pair in (*_alike_secrets(one, other), *_alike_keys(one, other)):
                if frozenset(pair) not in seen:
                    seen.add(frozenset(pair))
                    yield pair, one.name, other.name


def _alike_secrets(one: MatchedEnvironment, other: MatchedEnvironment) -> list[Same]:
    """Return the Secrets that only one of the two has, and that have most of their keys in common."""
    pairs = []
    theirs = [name for name in other.secrets if name not in one.secrets and name not in one.imported.staying]
    for name in one.secrets:
        if name in other.secrets or name in other.imported.staying:
            continue
        keys = one.secrets[name].keys.keys()
        for second in theirs:
            common = keys & other.secrets[second].keys.keys()
            if 2 * len(common) > max(len(keys), len(other.secrets[second].keys)):
                pairs.append(Same(name, second))
                theirs.remove(second)
                break
    return pairs


def _alike_keys(one: MatchedEnvironment, other: MatchedEnvironment) -> Iterator[Same]:
    whole = {name for pair in _alike_secrets(one, other) for name in pair}
    ours, theirs = _only(one, other, whole), _only(other, one, whole)
    for first in ours:
        best = max(theirs, key=lambda second, key=first[1]: _ratio(key, second[1]), default=None)  # type: ignore[misc]
        if best and _ratio(first[1], best[1]) >= _ALIKE:
            theirs.remove(best)
            yield Same("/".join(first), "/".join(best))


def _only(one: MatchedEnvironment, other: MatchedEnvironment, whole: set[str]) -> list[KeyAddress]:
    """Return the keys that the other lacks."""
    return [
        (name, key)
        for name, secret in one.secrets.items()
        if name not in whole and name not in other.imported.staying
        for key in secret.keys
        if name not in other.secrets or key not in other.secrets[name].keys
    ]


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
