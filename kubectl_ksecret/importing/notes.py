"""What an import leaves to be done by hand, in the order in which it is done."""

import os
from collections.abc import Iterator, Sequence

from ..backends import backend_of
from ..errors import InputError
from ..model.resolution import Derived
from ..objects.documents import KUSTOMIZATION_FILE, KUSTOMIZATION_FILES, mapping, plain
from . import matching
from .collecting import STANDARD_INPUT, sources
from .composing import ComposedEnvironment
from .matching import MatchedEnvironment
from .secrets import ImportedSecret
from .target import CERTIFICATE, ImportTarget

_PREFIXES = ("namePrefix", "nameSuffix")


def of_matching(matched: Sequence[MatchedEnvironment]) -> Iterator[str]:
    """Yield what has another name now, what is sealed anew for that, and what may be one though it has two names."""
    for environment in matched:
        yield from environment.notes
        for address in environment.resealed:
            command = f"kubectl ksecret seal {environment.name} {address} --from-stdin"
            yield f"{environment.name}: the old value of {address} belongs to its old name, so seal it: {command}"
    for pair, one, other in matching.alike(matched):
        yield (
            f"{one} has {pair.old}, {other} has {pair.new}; "
            f"if they are one, remove what was written and import again with {pair}"
        )


def of_environment(composed: ComposedEnvironment, target: ImportTarget, *, seals: bool) -> Iterator[str]:
    """Yield what is left to do for one environment; with `seals` its plain values are sealed right after."""
    imported = composed.matched.imported
    if imported.is_external and not imported.store.source:
        way = (
            ""
            if imported.store.document
            else f"; --vault-url {imported.name}=https://… names its Key Vault, if it has one"
        )
        yield (
            f"{imported.name}: {imported.store.reason}, so the overlay has no source; "
            f"the operator reads it, and this tool reads no value of it{way}"
        )
    if not imported.is_external:
        yield from _certificate(composed, target)
        yield from _made_anew(composed)
        if not seals:
            yield from _sealing(composed)
    for kustomization in imported.collected.layers.values():
        for field in _PREFIXES:
            if kustomization.object.get(field):
                place = kustomization.key(field)
                yield (
                    f"{place}: what is imported has the names before this prefix or suffix; "
                    "keep it in the kustomization above"
                )
    if imported.name not in target.deployed and imported.collected.layers:
        made = target.project.name(os.path.join(target.folder(imported.name), KUSTOMIZATION_FILE))
        yield f"{made} deploys what is imported of {imported.name}: deploy it before the lines below go"


def _certificate(composed: ComposedEnvironment, target: ImportTarget) -> Iterator[str]:
    certificate = backend_of(composed.environment).certificate(composed.environment)
    path = os.path.realpath(composed.environment.path(certificate.path)) if certificate else ""
    if not path or composed.beside or os.path.exists(path):
        return
    if composed.matched.imported.collected.is_live:
        yield f"fetch the controller's certificate: kubectl ksecret certificate {composed.environment.name} --fetch"
    else:
        yield f"fetch the controller's certificate: kubeseal --fetch-cert > {target.project.name(path)}"


def _made_anew(composed: ComposedEnvironment) -> Iterator[str]:
    """Yield what was sealed whole, and is made from its parts the next time, as another environment makes it."""
    for name, secret in composed.environment.secrets.items():
        for key, value in secret.keys.items():
            if isinstance(value, Derived):
                place = value.key.origin.at("template")
                yield (
                    f"{composed.environment.name}: sealed anew, {name}/{key} is made by the template at {place}; "
                    "look whether its text is right there too"
                )


def _sealing(composed: ComposedEnvironment) -> Iterator[str]:
    """Yield how the values of the plain Secrets are sealed; a command that seals several stands once."""
    imported, environment = composed.matched.imported, composed.environment
    if not backend_of(environment).seals:
        if composed.unsealed:
            yield (
                f"{environment.name}: put the values into its source; then kubectl ksecret sync {environment.name} "
                "--adopt takes over the Secrets"
            )
        return
    overlay = environment.name + _accepting(composed)
    if imported.collected.is_live and composed.unsealed:
        read = f"kubectl get secrets {' '.join(composed.unsealed)} --namespace={imported.namespace} -o yaml"
        yield f"seal the values of {', '.join(composed.unsealed)}: {read} | kubectl ksecret seal {overlay} -f -"
        return
    commands: dict[str, list[str]] = {}
    for name in composed.unsealed:
        commands.setdefault(_seal(overlay, imported.secrets[name]), []).append(name)
    for command, names in commands.items():
        yield f"seal the values of {', '.join(names)}: {command}"


def _accepting(composed: ComposedEnvironment) -> str:
    """Return the option that accepts the certificate at hand: this clone has sealed for none yet."""
    from ..sealing import certificate  # most imports have none

    named = backend_of(composed.environment).certificate(composed.environment)
    try:
        if CERTIFICATE in composed.beside:
            return f" --accept {certificate.read(composed.beside[CERTIFICATE]).fingerprint}"
        if named is not None:
            return f" --accept {certificate.read(composed.environment.project.read(named.path)).fingerprint}"
    except (InputError, ValueError):
        pass  # another note says that it is missing, or seal what is wrong with it
    return ""


def _seal(overlay: str, secret: ImportedSecret) -> str:
    """Return the command that seals a plain Secret; nothing that was read holds its values any more."""
    file = "-" if secret.document.file == STANDARD_INPUT else secret.document.file
    command = f"kubectl ksecret seal {overlay}"
    if secret.is_sops:
        decrypt = (
            "sops decrypt --input-type yaml --output-type yaml /dev/stdin" if file == "-" else f"sops decrypt {file}"
        )
        return f"{decrypt} | {command} -f -"
    if os.path.basename(file) not in KUSTOMIZATION_FILES:
        return f"{command} -f {file}"
    entry = mapping(plain(secret.document.node)) if secret.document.node else {}
    literals, files, env_files = sources(entry)
    if literals:
        addresses = "; ".join(f"{command} {secret.name}/{key} --from-stdin" for key in literals)
        return f"{addresses} (they are literals of {secret.document.place()})"
    folder = os.path.dirname(file) or "."
    options = [*(f"--from-file={named}" for named in files), *(f"--from-env-file={named}" for named in env_files)]
    made = f"kubectl create secret generic {secret.name} {' '.join(options)} --dry-run=client -o yaml"
    return f"(cd {folder} && {made}) | {command} -f -"
