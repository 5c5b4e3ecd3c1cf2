"""Makes declarations and overlays of what a team has now, so that they render the same again; overwrites nothing."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from ..actions.init import placed_certificate, project_around, refuse_same_name
from ..errors import InputError, Mistake, Refusal
from ..frozen import Record
from ..model.resolution import Derived
from ..model.types.backends import SealedSecret
from ..model.types.names import Name
from ..objects.documents import KUSTOMIZATION_FILES
from . import kustomizations, matching, reading, writing
from .declaring import declare
from .found import FoundSecret, fits
from .kustomizations import Line
from .matching import Matched, Same
from .reading import STANDARD_INPUT, Argument, Found
from .writing import CERTIFICATE, Composed, Target

__all__ = ["Argument", "Imported", "Request", "Same", "import_environments"]


class Request(Record):
    """What shall be imported; `certificates` are files' names and contents by environment."""

    arguments: Sequence[Argument]
    into: str
    same: Sequence[Same] = ()
    certificates: Mapping[str, tuple[str, bytes]] = {}
    dry_run: bool = False


class Imported(Record):
    """What was made, what could not be carried over, what has to go, and what is left to do by hand."""

    written: Sequence[str]
    left: Sequence[Mistake]
    lines: Sequence[Line]
    notes: Sequence[str]


def import_environments(request: Request, now: datetime) -> Imported:
    """Import all environments together. Raises InputError or Refusal, with nothing written, if that can't be."""
    _refuse_same_name(request.arguments)
    target = _target(request)
    found = _all_of(request.arguments)
    matched = matching.match(found, request.same)
    declared = declare(matched)
    texts, declarations = writing.declarations_of(declared, target)
    composed = [
        writing.compose(each, declared, declarations, target, _certificate(request, target, each.found.name, now))
        for each in matched
    ]
    writing.refuse_clashes(composed)
    files = writing.files(composed, texts, target)
    notes = [*_of_matching(matched), *(note for each in composed for note in _of_environment(each, target))]
    if not request.dry_run:
        writing.write(files)
    lines = [line for each in composed for line in each.matched.found.lines(each.store_gone)]
    return Imported(
        written=[target.project.name(os.path.join(folder, name)) for folder in files for name in files[folder]],
        left=list(dict.fromkeys(m for each in composed for m in (*each.matched.found.left, *each.left))),
        lines=list(dict.fromkeys(lines)),
        notes=notes,
    )


def _refuse_same_name(arguments: Sequence[Argument]) -> None:
    for each in arguments:
        if not fits(Name, each.name):
            hint = "name it: NAME=PATH"
            raise InputError(Mistake(f"{each.path}: {each.name or 'it'} can't be an overlay's name", hint=hint))
    names = [each.name for each in arguments]
    if twice := [name for name in names if names.count(name) > 1]:
        hint = "environments have different names: NAME=PATH"
        raise InputError(Mistake(f"two environments are named {twice[0]}", hint=hint))


def _target(request: Request) -> Target:
    into = os.path.realpath(request.into)
    target = Target(project=project_around(into), into=into)
    writing.refuse_existing(target, [each.name for each in request.arguments])
    for each in request.arguments:
        refuse_same_name(target.project, each.name)
    return target


def _all_of(arguments: Sequence[Argument]) -> list[Found]:
    """Every environment. Raises InputError with the mistakes of them all."""
    found: list[Found] = []
    wrong: list[Mistake] = []
    for each in arguments:
        try:
            found.append(reading.read(each))
        except Refusal:
            raise
        except InputError as error:
            wrong += error.mistakes
    if wrong:
        raise InputError(*wrong)
    return found


def _certificate(request: Request, target: Target, name: str, now: datetime) -> tuple[str, bytes | None]:
    """The certificate as the overlay names it, and its content if it is copied there."""
    given = request.certificates.get(name)
    if given is None:
        return CERTIFICATE, None
    return placed_certificate(given, target.project, target.secrets(name), now)


def _of_matching(matched: Sequence[Matched]) -> Iterator[str]:
    for each in matched:
        yield from each.notes
        for address in each.resealed:
            seal = f"kubectl ksecret seal {each.found.name} {address} --from-stdin"
            yield f"{each.found.name}: the old value of {address} belongs to its old name, so seal it: {seal}"
    for pair, one, other in matching.alike(matched):
        yield (
            f"{one} has {pair.old}, {other} has {pair.new}; "
            f"if they are one, remove what was written and import again with {pair}"
        )


def _of_environment(composed: Composed, target: Target) -> list[str]:
    """What is left to do by hand."""
    found, notes = composed.matched.found, []
    if isinstance(composed.environment.backend, SealedSecret):
        certificate = os.path.realpath(composed.environment.path(composed.environment.backend.certificate))
        if not composed.certificate and not os.path.exists(certificate):
            shown = target.project.name(certificate)
            notes.append(f"fetch the controller's certificate: kubeseal --fetch-cert > {shown}")
        notes += [*_made_anew(composed), *_sealing(composed)]
    notes += [
        f"{place}: what is imported has the names before this prefix or suffix; keep it in the kustomization above"
        for place in found.prefixed
    ]
    if old := writing.old_kustomization(target.folder(found.name)):
        notes.append(f"add to the resources of {target.project.name(old)}: secrets")
    return notes


def _made_anew(composed: Composed) -> Iterator[str]:
    """What was sealed whole, and is made from its parts the next time, as another environment makes it."""
    for name, secret in composed.environment.secrets.items():
        for key, value in secret.keys.items():
            if isinstance(value, Derived):
                place = value.key.origin.at("template")
                yield (
                    f"{composed.environment.name}: sealed anew, {name}/{key} is made by the template at {place}; "
                    "look whether its text is right there too"
                )


def _sealing(composed: Composed) -> list[str]:
    """How the values of the plain Secrets are sealed; a command that seals several is said once."""
    commands: dict[str, list[str]] = {}
    for name, secret in composed.matched.found.secrets.items():
        if secret.kind == "Secret" and name in composed.environment.secrets:
            commands.setdefault(_seal(composed.environment.name, secret), []).append(name)
    return [f"seal the values of {', '.join(names)}: {command}" for command, names in commands.items()]


def _seal(overlay: str, secret: FoundSecret) -> str:
    """The command that seals a plain Secret; nothing that was read holds its values any more."""
    file = "-" if secret.document.file == STANDARD_INPUT else secret.document.file
    seal = f"kubectl ksecret seal {overlay}"
    if os.path.basename(file) not in KUSTOMIZATION_FILES:
        return f"{seal} -f {file}"
    literals, files, env_files = kustomizations.sources(secret.document)
    if literals:
        addresses = "; ".join(f"{seal} {secret.name}/{key} --from-stdin" for key in literals)
        return f"{addresses} (they are literals of {secret.document.place()})"
    folder = os.path.dirname(file) or "."
    options = [*(f"--from-file={each}" for each in files), *(f"--from-env-file={each}" for each in env_files)]
    made = f"kubectl create secret generic {secret.name} {' '.join(options)} --dry-run=client -o yaml"
    return f"(cd {folder} && {made}) | {seal} -f -"
