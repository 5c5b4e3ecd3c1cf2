"""Names in vaults that differ between environments by a suffix or a prefix: the pattern, and what is common."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Literal, NamedTuple, get_args

Address = tuple[str, str]  # Secret and key
Remotes = Mapping[str, Mapping[Address, str]]  # by environment, the name in its vault
_SEPARATORS = "-_./"
_Kind = Literal["suffix", "prefix"]
_KINDS: tuple[_Kind, ...] = get_args(_Kind)
BARE = "{remoteName}"


class Naming(NamedTuple):
    """The overlays' patterns, and the name of each key before them."""

    patterns: Mapping[str, str]
    names: Mapping[Address, str]

    def in_source(self, environment: str, address: Address) -> str:
        """The name that a pattern makes."""
        return self.patterns[environment].replace("{remoteName}", self.names[address])


def derive(remotes: Remotes) -> Naming:
    """The naming that leaves the fewest names to overrides; without a pattern where that is no worse."""
    plain = dict.fromkeys(remotes, BARE)
    choices = [plain, *(_patterns(remotes, kind) for kind in _KINDS)]
    return min((_naming(remotes, patterns) for patterns in choices), key=lambda each: _misfits(remotes, each))


def _misfits(remotes: Remotes, naming: Naming) -> int:
    wrong = sum(
        naming.in_source(environment, address) != name
        for environment, found in remotes.items()
        for address, name in found.items()
    )
    return wrong + sum(_bare(remotes, environment) for environment in remotes if naming.patterns[environment] == BARE)


def _bare(remotes: Remotes, environment: str) -> int:
    """How many names have the environment's own name in them, where no other environment shows that it is a pattern."""
    others = {address for each, found in remotes.items() if each != environment for address in found}
    own = remotes[environment]
    if others & own.keys():
        return 0
    return max(max(_own(environment, own.values(), kind).values(), default=0) for kind in _KINDS)


def _naming(remotes: Remotes, patterns: Mapping[str, str]) -> Naming:
    names: dict[Address, str] = {}
    addresses = dict.fromkeys(address for found in remotes.values() for address in found)
    for address in addresses:
        bases = [
            base
            for environment, found in remotes.items()
            if address in found and (base := _base(patterns[environment], found[address]))
        ]
        ((most, _), *_) = Counter(bases).most_common(1) or [(address[1], 0)]
        names[address] = most
    return Naming(patterns, names)


def _base(pattern: str, name: str) -> str:
    """What a pattern makes a name of; empty if it can't."""
    before, _, after = pattern.partition("{remoteName}")
    fits = name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
    return name[len(before) : len(name) - len(after)] if fits else ""


def _patterns(remotes: Remotes, kind: _Kind) -> dict[str, str]:
    """A pattern of this kind for each environment: what sets most of its names off from the other environments'."""
    votes: dict[str, Counter[str]] = {environment: Counter() for environment in remotes}
    addresses = dict.fromkeys(address for found in remotes.values() for address in found)
    for address in addresses:
        have = {environment: found[address] for environment, found in remotes.items() if address in found}
        for environment, affix in _affixes(list(have.values()), kind, have).items():
            votes[environment][affix] += 1
    for environment, found in remotes.items():
        if not votes[environment]:
            votes[environment].update(_own(environment, found.values(), kind))
    chosen = {environment: (found.most_common(1)[0][0] if found else "") for environment, found in votes.items()}
    literal = {each: affix.replace("{", "").replace("}", "") for each, affix in chosen.items()}
    return {
        each: f"{{remoteName}}{affix}" if kind == "suffix" else f"{affix}{{remoteName}}"
        for each, affix in literal.items()
    }


def _affixes(names: Sequence[str], kind: _Kind, have: Mapping[str, str]) -> dict[str, str]:
    """What stands behind (before) that which the names of one key have in common."""
    if len(names) < 2:
        return {}
    turned = [name[::-1] for name in names] if kind == "prefix" else list(names)
    common = beginning(turned)
    rests = [name[len(common) :] for name in turned]
    if not all(rest == "" or rest[0] in _SEPARATORS for rest in rests):
        common = re.sub(rf"[{re.escape(_SEPARATORS)}]*[^{re.escape(_SEPARATORS)}]*$", "", common)
    if not common:
        return {}
    found = [name[len(common) :] for name in turned]
    return {
        environment: affix[::-1] if kind == "prefix" else affix for environment, affix in zip(have, found, strict=True)
    }


def beginning(names: Sequence[str]) -> str:
    """What all of them begin with."""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in same)


def _own(environment: str, names: Iterable[str], kind: _Kind) -> Counter[str]:
    """Where there is nothing to compare with: a part of the environment's own name at the end (beginning) of names."""
    found: Counter[str] = Counter()
    for part in dict.fromkeys((environment, *environment.split("-"))):
        for separator in _SEPARATORS[:2]:
            affix = f"{separator}{part}" if kind == "suffix" else f"{part}{separator}"
            fitting = sum((name.endswith if kind == "suffix" else name.startswith)(affix) for name in names)
            found[affix] = fitting
    return Counter({affix: count for affix, count in found.items() if count})
