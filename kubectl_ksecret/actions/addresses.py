"""Parts of an overlay: by the addresses of the command line, SECRET or SECRET/KEY, or by the Secrets' labels."""

from collections.abc import Collection, Mapping, Sequence

from ..errors import InputError, Mistake, nearest, shown
from ..model.resolution import Environment
from ..objects.selectors import Selector


def secrets_of(environment: Environment, addresses: Sequence[str]) -> list[str]:
    """Return the Secrets that are addressed, or all of the environment. Raises InputError for what it does not have."""
    names: dict[str, None] = {}
    mistakes = []
    for address in addresses:
        name, slash, key = address.partition("/")
        secret = environment.secrets.get(name)
        if secret is None:
            hint = nearest(name, environment.secrets)
            mistakes.append(Mistake(f"overlay {environment.name} has no Secret {shown(name)}", hint=hint))
        elif slash and key not in secret.keys:
            hint = nearest(key, secret.keys)
            mistakes.append(Mistake(f"{name} has no key {shown(key)} in {environment.name}", hint=hint))
        names[name] = None
    if mistakes:
        raise InputError(*mistakes)
    return list(names) or list(environment.secrets)


def selected(environment: Environment, addresses: Sequence[str], selector: Selector | None) -> list[str]:
    """Return the Secrets that are addressed, or those whose declared labels match.

    Raises InputError for what is addressed and not there.
    """
    if selector is None:
        return secrets_of(environment, addresses)
    secrets = environment.secrets.items()
    return [name for name, secret in secrets if selector.matches(secret.declaration.spec.labels)]


def keys_of(environment: Environment, addresses: Sequence[str]) -> Mapping[str, Collection[str]]:
    """Return the keys that are addressed, or all, by Secret. Raises InputError for what the environment lacks."""
    keys: dict[str, set[str]] = {name: set() for name in secrets_of(environment, addresses)}
    for name, addressed in keys.items():
        stated = [address.partition("/")[2] for address in addresses if address.partition("/")[0] == name]
        addressed.update(environment.secrets[name].keys if not all(stated) or not stated else stated)
    return {name: sorted(addressed) for name, addressed in keys.items()}
