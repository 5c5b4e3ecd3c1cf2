"""Names in vaults that differ between environments by a suffix or a prefix: the pattern, and what is common."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Literal, NamedTuple, get_args

KeyAddress = tuple[str, str]  # Secret and key
RemoteNames = Mapping[str, Mapping[KeyAddress, str]]  # by environment, the name in its vault
_SEPARATORS = "-_./"
_Kind = Literal["suffix", "prefix"]
_KINDS: tuple[_Kind, ...] = get_args(_Kind)
BARE = "{remoteName}"


class Naming(NamedTuple):
    """The overlays' patterns, and the name of each key before them."""

    patterns: Mapping[str, str]
    names: Mapping[KeyAddress, str]

    def in_source(self, environment: str, address: KeyAddress) -> str:
        """Return the name that a pattern makes."""
        return self.patterns[environment].replace("{remoteName}", self.names[address])


def derive(remote_names: RemoteNames, declared: Mapping[KeyAddress, str] | None = None) -> Naming:
    """Return the naming that leaves the fewest names to overrides; `declared` names are as they are.

    A pattern goes before none where both leave equally many: a declaration has no environment's name in it.
    """
    declared = declared or {}
    compared = {**remote_names, **({"": declared} if declared else {})}
    by_kind = [_patterns(compared, kind) | ({"": BARE} if declared else {}) for kind in _KINDS]
    plain = dict.fromkeys(compared, BARE)
    namings = [_naming(compared, patterns, by_kind, declared) for patterns in (*by_kind, plain)]
    return min(namings, key=lambda naming: _misfits(remote_names, naming))


def _misfits(remote_names: RemoteNames, naming: Naming) -> int:
    misfits = sum(
        naming.in_source(environment, address) != name
        for environment, names in remote_names.items()
        for address, name in names.items()
    )
    bare = (environment for environment in remote_names if naming.patterns[environment] == BARE)
    return misfits + sum(_own_names(remote_names, environment) for environment in bare)


def _own_names(remote_names: RemoteNames, environment: str) -> int:
    """Return how many names have the environment's own name in them, where no other one shows that it is a pattern."""
    others = {address for name, names in remote_names.items() if name != environment for address in names}
    own = remote_names[environment]
    if others & own.keys():
        return 0
    return max(max(_own_affixes(environment, own.values(), kind).values(), default=0) for kind in _KINDS)


def _naming(
    remote_names: RemoteNames,
    patterns: Mapping[str, str],
    by_kind: Sequence[Mapping[str, str]],
    declared: Mapping[KeyAddress, str],
) -> Naming:
    bases: dict[KeyAddress, str] = {}
    for address in _addresses(remote_names):
        named = {environment: names[address] for environment, names in remote_names.items() if address in names}
        candidates = [base for environment, name in named.items() if (base := _base(patterns[environment], name))]
        if len(set(candidates)) > 1:
            candidates = _without_environment(named, by_kind) or candidates
        ((most, _), *_) = Counter(candidates).most_common(1) or [(address[1], 0)]
        bases[address] = declared.get(address, most)
    return Naming(patterns, bases)


def _without_environment(named: Mapping[str, str], by_kind: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the one name that is left when each environment's mark is taken off, if it is one."""
    for patterns in by_kind:
        bare = {_base(patterns[environment], name) or name for environment, name in named.items()}
        if len(bare) == 1:
            return list(bare)
    return []


def _addresses(remote_names: RemoteNames) -> list[KeyAddress]:
    return list(dict.fromkeys(address for names in remote_names.values() for address in names))


def _base(pattern: str, name: str) -> str:
    """Return what a pattern makes a name of; nothing if it can't."""
    before, _, after = pattern.partition("{remoteName}")
    fits = name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
    return name[len(before) : len(name) - len(after)] if fits else ""


def _patterns(remote_names: RemoteNames, kind: _Kind) -> dict[str, str]:
    """Return a pattern of this kind for each environment: what sets most of its names off from the others'."""
    votes: dict[str, Counter[str]] = {environment: Counter() for environment in remote_names}
    for address in _addresses(remote_names):
        named = {environment: names[address] for environment, names in remote_names.items() if address in names}
        for environment, affix in _affixes(named, kind).items():
            votes[environment][affix] += 1
    patterns = {}
    for environment, counted in votes.items():
        affixes = counted or _own_affixes(environment, remote_names[environment].values(), kind)
        affix = max(affixes, key=lambda affix: (affixes[affix], affix != ""), default="")
        affix = affix.replace("{", "").replace("}", "")
        patterns[environment] = f"{{remoteName}}{affix}" if kind == "suffix" else f"{affix}{{remoteName}}"
    return patterns


def _affixes(named: Mapping[str, str], kind: _Kind) -> dict[str, str]:
    """Return what stands behind (before) that which the names of one key have in common, by environment."""
    if len(named) < 2:
        return {}
    turned = {environment: name[::-1] if kind == "prefix" else name for environment, name in named.items()}
    common = beginning(list(turned.values()))
    rests = [name[len(common) :] for name in turned.values()]
    if not all(rest == "" or rest[0] in _SEPARATORS for rest in rests):
        common = re.sub(rf"[{re.escape(_SEPARATORS)}]*[^{re.escape(_SEPARATORS)}]*$", "", common)
    if not common:
        return {}
    affixes = {environment: name[len(common) :] for environment, name in turned.items()}
    return {environment: affix[::-1] if kind == "prefix" else affix for environment, affix in affixes.items()}


def beginning(names: Sequence[str]) -> str:
    """Return what all of them begin with."""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in same)


def _own_affixes(environment: str, names: Iterable[str], kind: _Kind) -> Counter[str]:
    """Count how many names end (begin) with a part of the environment's own name."""
    names = list(names)
    counted: Counter[str] = Counter()
    for part in dict.fromkeys((environment, *environment.split("-"))):
        for separator in _SEPARATORS[:2]:
            affix = f"{separator}{part}" if kind == "suffix" else f"{part}{separator}"
            counted[affix] = sum((name.endswith if kind == "suffix" else name.startswith)(affix) for name in names)
    return Counter({affix: count for affix, count in counted.items() if count})
