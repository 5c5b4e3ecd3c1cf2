"""Makes one overlay, and the first declaration where there is none; overwrites nothing."""

import os
from collections.abc import Iterable, Sequence
from datetime import datetime

from ..backends.sops import config as sopsconfig
from ..errors import InputError, Mistake
from ..files import git
from ..files.folder import locked
from ..files.project import Project, decode
from ..frozen import Record
from ..manifests import committed, kustomization
from ..model.loading import API_VERSION, Loader, name_of
from ..model.types import overlay as overlay_type
from ..model.types.backends import BACKENDS
from ..model.types.overlay import SecretOverlay
from ..model.types.sources import SOURCES
from ..objects.documents import KUSTOMIZATION_FILE, KUSTOMIZATION_FILES
from . import render
from .newoverlay import Member, NewOverlay, parts_of, read_overlay, written
from .trust import Statement, remember
from .typed import member

CERTIFICATE = "sealing.pem"
_DECLARATIONS = "generators"
_IGNORED = ".env\n.env.*\n!.env.example\n"
_FIRST = "app-secrets"
_FIRST_DECLARATION = f"""apiVersion: {API_VERSION}
kind: SecretDeclaration
metadata:
  name: {_FIRST}
spec:
  purpose: What the application needs to start
  keys:
    api-key:
      purpose: Say here what it is for
"""


_ONLY_WITH = {"--certificate": "sealedSecret", "--age": "sops"}


class InitRequest(Record):
    """What the new overlay shall be; `certificate` is a file's name and content.

    `backend` and `source` are members of spec.backend and spec.source as YAML, or just their names.
    """

    folder: str
    backend: str
    namespace: str
    source: str | None = None
    vault_url: str | None = None
    names: str | None = None
    property: str | None = None
    certificate: tuple[str, bytes] | None = None
    recipients: Sequence[str] = ()
    generator: bool = False
    dry_run: bool = False


class Initialised(Record):
    """The files that were made or changed, and what is left to do by hand."""

    written: Sequence[str]
    notes: Sequence[str]


def init(request: InitRequest, now: datetime) -> Initialised:
    """Make the overlay. Raises InputError, with nothing written, if it is there already or can't be what is asked.

    What the declarations still need of it, such as parameters of their templates, is noted.
    """
    backend, source = _members(request)
    folder = os.path.realpath(request.folder)
    secrets = os.path.join(folder, "secrets")
    file = os.path.join(secrets, overlay_type.FILE)
    project = project_around(secrets)
    project.inside(secrets)
    refuse_same_name(project, os.path.basename(folder))
    declarations, files = _declarations(project)
    certificate, copied = _certificate(request, project, secrets, now)
    files |= copied
    parts = parts_of(
        NewOverlay(
            name=os.path.basename(folder),
            namespace=request.namespace,
            declarations=os.path.relpath(declarations, secrets),
            backend=backend,
            source=source,
            names=request.names,
            property=request.property,
            certificate=certificate,
            recipients=request.recipients,
        )
    )
    overlay = read_overlay(parts)
    if backend.field == "sops" and not (request.recipients or backend.fields):
        _refuse_no_recipients(project, secrets)
    files[file] = "".join(part.text for part in parts).encode()
    if request.generator:
        files[os.path.join(secrets, KUSTOMIZATION_FILE)] = kustomization.GENERATOR_FORM.encode()
    _refuse_existing(project, files)
    outer, notes = _outer(project, folder, request.namespace)
    files |= outer
    files |= _ignored(request, project, overlay)
    if request.dry_run:
        return Initialised(written=list(map(project.name, files)), notes=notes)
    for path, content in files.items():
        with locked(os.path.dirname(path)) as held:
            held.write(os.path.basename(path), content)
            held.clean()
    _trust(request, project, overlay, file, now)
    try:
        rendered = render.write(Loader(project).load(file))
    except InputError as error:
        first = [mistake.said("before it renders") for mistake in error.mistakes]
        then = f"then run: kubectl ksecret render {os.path.basename(folder)} --write"
        return Initialised(written=list(map(project.name, files)), notes=[*notes, *first, then])
    return Initialised(written=[*map(project.name, files), *rendered], notes=notes)


def _members(request: InitRequest) -> tuple[Member, Member | None]:
    """Return the backend and the source that are typed.

    Raises InputError for an option that the backend needs and lacks, or that is of another one.
    """
    field, fields = member("--backend", request.backend, "backend", BACKENDS)
    backend = Member(field=field, fields=fields, option="--backend")
    source = None
    if request.source is not None and request.vault_url:
        raise InputError(Mistake("--vault-url and --source name two sources; an overlay has one"))
    if request.source is not None:
        field_of_source, fields_of_source = member("--source", request.source, "source", SOURCES)
        source = Member(field=field_of_source, fields=fields_of_source, option="--source")
    elif request.vault_url:
        source = Member(field="azureKeyVault", fields={"vaultUrl": request.vault_url}, option="--vault-url")
    has_patterns = request.names is not None or request.property is not None
    if source is None and has_patterns and not (field == "externalSecret" and fields):
        hint = "or with --backend externalSecret, whose store exists"
        raise InputError(Mistake("--names and --property go with --source", hint=hint))
    options = {"--certificate": request.certificate, "--age": request.recipients}
    for option, needing in _ONLY_WITH.items():
        if options[option] and field != needing:
            raise InputError(Mistake(f"{option} goes with --backend {needing}"))
    if field == "sealedSecret" and not request.certificate:
        raise InputError(Mistake(f"the backend {field} needs --certificate"))
    if source is None and not fields and field == "externalSecret":
        hint = "or --backend with its fields, where a store exists, of whatever provider"
        raise InputError(Mistake(f"the backend {field} needs --vault-url or --source", hint=hint))
    return backend, source


def project_around(folder: str) -> Project:
    """The project around a folder that need not exist; without Git, the working directory if the folder lies in it.

    The next overlay must find the declarations of the first, and a command without an argument both. Any other folder
    would be a guess, and all of it would be searched.
    """
    existing = folder
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    project, without_git = Project.around(existing), Project(".")
    if not os.path.isdir(existing):
        raise InputError(Mistake(f"{without_git.name(existing)} is not a folder"))
    if project.git:
        return project
    if os.path.commonpath((without_git.root, folder)) != without_git.root:
        message = f"{without_git.name(folder)} lies neither in a Git work tree nor in the working directory"
        raise InputError(Mistake(message, hint="run git init at the root of the project, or init from there"))
    return without_git


def _ignored(request: InitRequest, project: Project, overlay: SecretOverlay) -> dict[str, bytes]:
    """Return .gitignore with a line for the dotenv files that an overlay without a vault is sealed from."""
    source = overlay.spec.source
    if overlay.spec.backend.fetched or project.git is None:
        return {}
    if source is not None and not source.kind.names_are_variables:
        return {}
    if git.ignores(project, ".env") and git.ignores(project, f".env.{os.path.basename(request.folder)}"):
        return {}
    path = os.path.join(project.root, ".gitignore")
    before = project.read_if_there(path) or b""
    separator = b"" if before.endswith(b"\n") or not before else b"\n"
    return {path: before + separator + _IGNORED.encode()}


def _refuse_existing(project: Project, files: Iterable[str]) -> None:
    if existing := [project.name(file) for file in files if os.path.lexists(file)]:
        raise InputError(*(Mistake(f"{name} exists already", hint="nothing is overwritten") for name in existing))


def refuse_same_name(project: Project, name: str, file: str = "") -> None:
    """Raises InputError if another overlay of the project, in another file than this, has the name."""
    for other in project.find(overlay_type.FILE):
        if other != file and name_of(project, other) == name:
            hint = "overlays of a project have different names; the folder's name is the overlay's"
            raise InputError(Mistake(f"{project.name(other)} is named {name} already", hint=hint))


def _declarations(project: Project) -> tuple[str, dict[str, bytes]]:
    """Where the project's declarations lie; the first one where there is none."""
    for other in project.find(overlay_type.FILE):
        try:
            environment = Loader(project).load(other)
        except InputError:
            continue
        return environment.path(environment.overlay.spec.declarations[0]), {}
    folder = os.path.join(project.root, _DECLARATIONS)
    if os.path.isdir(folder) and any(project.yaml_files(folder)):
        return folder, {}
    return folder, {os.path.join(folder, f"{_FIRST}.yaml"): _FIRST_DECLARATION.encode()}


def _certificate(
    request: InitRequest, project: Project, secrets: str, now: datetime
) -> tuple[str | None, dict[str, bytes]]:
    """The certificate as the overlay names it; one from outside the project is copied beside the overlay."""
    if request.certificate is None:
        return None, {}
    name, copied = placed_certificate(request.certificate, project, secrets, now)
    return name, ({os.path.join(secrets, name): copied} if copied else {})


def placed_certificate(
    given: tuple[str, bytes], project: Project, secrets: str, now: datetime
) -> tuple[str, bytes | None]:
    """The certificate's path from the overlay's folder, and its content if it has to be copied there.

    Raises InputError for a file that is no certificate.
    """
    from ..sealing import certificate

    name, content = given
    try:
        certificate.load(content, now)
    except ValueError as error:
        raise InputError(Mistake(f"{name}: {error}")) from None
    real = os.path.realpath(name)
    if real.startswith(os.path.join(project.root, "")):
        return os.path.relpath(real, secrets), None
    return CERTIFICATE, content


def _trust(request: InitRequest, project: Project, overlay: SecretOverlay, file: str, now: datetime) -> None:
    """Keep what the user typed as what this clone seals for; recipients of .sops.yaml were not typed."""
    readers = list(request.recipients)
    if request.certificate:
        from ..sealing import certificate

        readers = [certificate.load(request.certificate[1], now).fingerprint]
    if readers:
        remember(Statement(project=project, overlay=overlay, file=file, readers=sorted(readers)))


def _refuse_no_recipients(project: Project, secrets: str) -> None:
    path = os.path.join(secrets, committed.FOLDER, committed.file_of(_FIRST))
    if not sopsconfig.recipients(project, path)[0]:
        raise InputError(no_recipient())


def no_recipient() -> Mistake:
    """Return that nobody is named for whom SOPS would encrypt."""
    return Mistake("no age recipient", hint=f"give --age, or a creation rule in {sopsconfig.FILE}")


def _outer(project: Project, folder: str, namespace: str) -> tuple[dict[str, bytes], Sequence[str]]:
    """Return the kustomization that is deployed, with the Secrets in it, and what its owner has to decide."""
    name = next((name for name in KUSTOMIZATION_FILES if os.path.lexists(os.path.join(folder, name))), None)
    path = os.path.join(folder, name or KUSTOMIZATION_FILE)
    if name is None:
        return {path: kustomization.deployed(written(namespace)).encode()}, ()
    shown = project.name(path)
    before = decode(project.read(path), shown)
    after = kustomization.add_resource(before, "secrets", shown)
    stated = kustomization.namespace_of(before, shown)
    notes = []
    if stated is None:
        notes.append(f"{shown} has no namespace; it would move its other objects too, so add it yourself:\n"
                     f"namespace: {written(namespace)}")  # fmt: skip
    elif stated != namespace:
        notes.append(
            f"{shown} has the namespace {stated}; references reach a Secret in {namespace} only if they are one"
        )
    return ({path: after.encode()} if after != before else {}), notes
