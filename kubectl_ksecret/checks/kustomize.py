"""Kustomize: does what is deployed hold the overlays' Secrets, each once and whole?"""

import os
from collections.abc import Iterator, Sequence

from ..errors import Place
from ..kustomize import layers
from ..kustomize.generators import without_hash
from ..manifests.committed import FOLDER
from ..model.kubernetes import Subject
from ..model.resolution import Environment
from ..model.types.backends import ExternalSecret
from ..model.types.overlay import FILE
from ..objects.documents import Document
from ..objects.reads import reads
from . import CommittedOverlay, Finding, Severity, rule, sealed
from .provided import Provided, provided
from .scope import Build, Repository, overlay_subject

_FUNCTION = "config.kubernetes.io/function"


def _root_of(repository: Repository, environment: Environment) -> Build | None:
    return next((root for root in repository.builds if environment.name in (e.name for e in root.environments)), None)


@rule("generator-skipped", "error")
def generator_skipped(repository: Repository) -> Iterator[Finding]:
    """A kustomization lists ksecret.yaml where it generates nothing.

    The build lacks every Secret of the overlay, and may say nothing of it. List ksecret.yaml under `generators` of the
    kustomization beside it, with the annotation config.kubernetes.io/function.
    """
    for root in repository.builds:
        for environment, document, field, index, (message, hint) in _skipping(root, repository.environments):
            place, subject = document.place(field, index), overlay_subject(environment)
            yield Finding(
                message=message,
                place=place,
                hint=hint,
                subject=subject,
                field=field,
                overlay=environment.name,
            )


def _skipping(
    root: Build, environments: Sequence[Environment]
) -> Iterator[tuple[Environment, Document, str, int, tuple[str, str]]]:
    """Where a root lists an overlay that generates nothing there, why, and what to do."""
    overlays = {os.path.realpath(each.file): each for each in environments}
    for folder, document in root.layers.items():
        for field, index, name in layers.listed(document.object, "generators", "transformers", "validators"):
            environment = overlays.get(os.path.realpath(os.path.join(folder, name)))
            if environment and (wrong := _skipped(environment, folder, field)):
                yield environment, document, field, index, wrong


def _skipped(environment: Environment, folder: str, field: str) -> tuple[str, str] | None:
    """Why an overlay that is listed in a folder generates nothing, and what to do."""
    own = environment.project.name(environment.folder)
    if field != "generators":
        return f"{FILE} is a generator, not one of the {field}", "list it under generators"
    if os.path.realpath(environment.folder) != folder:
        return f"{FILE} is listed from another folder, where its paths start", f"list it in the kustomization in {own}"
    if _FUNCTION not in environment.overlay.metadata.annotations:
        hint = f'add to its metadata.annotations: {_FUNCTION}: "exec: {{path: ksecret-fn}}"'
        return f"{FILE} lacks the annotation that makes it a generator", hint
    return None


@rule("namespace-missing", "error")
def namespace_missing(repository: Repository) -> Iterator[Finding]:
    """The kustomization that is deployed has no `namespace`, or another one than the overlay.

    The Secrets lie in the overlay's namespace and the workloads where whoever deploys happens to be; under a prefix
    kustomize does not even rename the references. Set `namespace` to the overlay's own.
    """
    for overlay in repository.overlays:
        environment = overlay.environment
        root = _root_of(repository, environment)
        way = (root.way_to(environment) or list(root.layers.values())[:1]) if root else []
        if root is None or not way:
            continue
        wanted, setting = environment.namespace, layers.namespace(root.layers, root.folder, way)
        hint = f"set namespace: {wanted}"
        if setting and setting.object["namespace"] != wanted:
            what = f"the namespace of the kustomization is not that of {environment.name}, {wanted}"
            place = setting.place("namespace")
            yield Finding(
                message=what,
                place=place,
                hint=hint,
                subject=overlay_subject(environment),
                field="namespace",
                overlay=environment.name,
            )
        elif not setting and not _stands_everywhere(root, wanted):
            prefixed = layers.renaming(way) != layers.Renaming()
            what = f"the kustomization sets no namespace, {environment.name} has {wanted}"
            if prefixed:
                what += ": references are not renamed with their Secret"
            severity: Severity = "error" if prefixed else "note"
            place = way[0].place()
            yield Finding(
                message=what,
                place=place,
                hint=hint,
                subject=overlay_subject(environment),
                field="namespace",
                overlay=environment.name,
                milder=severity,
            )


def _stands_everywhere(root: Build, namespace: str) -> bool:
    """Whether each object that reads a Secret says its namespace itself."""
    reading = [document for document in root.objects if any(reads(document.object))]
    return bool(reading) and all(document.subject.namespace == namespace for document in reading)


@rule("manifests-out-of-date", "error")
def manifests_out_of_date(repository: Repository) -> Iterator[Finding]:
    """A committed file is not what `kubectl ksecret render --write` makes of the declarations.

    What is deployed is not what is declared. Run it, and commit what it writes.
    """
    broken = {mistake.place.file for mistake in repository.unreadable if mistake.place}
    for overlay in repository.overlays:
        environment = overlay.environment
        outdated, told = repository.outdated[environment.name], sealed.files_with_findings(overlay)
        for file in outdated.files:
            if file not in told:
                hint = f"run: kubectl ksecret render {environment.name} --write"
                what = "not what render --write makes of the declarations"
                yield Finding(
                    message=what,
                    place=Place(file),
                    hint=hint,
                    subject=overlay_subject(environment),
                    overlay=environment.name,
                )
        for message, place, hint, _ in outdated.mistakes:
            if place is None or place.file not in broken:
                yield Finding(
                    message=message,
                    place=place,
                    hint=hint,
                    subject=overlay_subject(environment),
                    overlay=environment.name,
                )


@rule("not-deployed", "error")
def not_deployed(repository: Repository) -> Iterator[Finding]:
    """The Secrets of an overlay are in no kustomization that is deployed.

    The workloads start without them, or with what was left by hand. List the folder `secrets` in the kustomization, or
    correct `spec.kustomization`.
    """
    for overlay in repository.overlays:
        environment, spec = overlay.environment, overlay.environment.overlay.spec
        root = _root_of(repository, environment)
        if root is None:
            what = f"{environment.name} is deployed by no kustomization: {_kustomization(environment)} has none"
            hint = "spec.kustomization names the folder of the one that is deployed"
            yield Finding(
                message=what,
                place=spec.origin.at("kustomization"),
                hint=hint,
                subject=overlay_subject(environment),
                overlay=environment.name,
            )
            continue
        expected = [name for name in environment.secrets if _is_rendered(overlay, name)]
        missing = _missing(root, environment, expected)
        if any(_skipping(root, [environment])):
            continue  # told where it is listed
        if missing and len(missing) == len(expected):
            what = f"the kustomization does not hold the Secrets of {environment.name}"
            place = next(iter(root.layers.values())).key("resources") if root.layers else spec.origin.at()
            folder = os.path.relpath(os.path.realpath(environment.folder), root.folder)
            hint = f"add {folder} to its resources"
            yield Finding(
                message=what,
                place=place,
                hint=hint,
                subject=overlay_subject(environment),
                field="resources",
                overlay=environment.name,
            )
        elif not repository.outdated[environment.name].files:  # a file that is not listed is told there
            for name in missing:
                place = environment.secrets[name].declaration.metadata.origin.at("name")
                what = f"{name} of {environment.name} is not in what is built"
                hint = "a patch removes it; omit it in the overlay instead, with the reason"
                yield Finding(
                    message=what,
                    place=place,
                    hint=hint,
                    subject=Subject("Secret", environment.namespace, name),
                    overlay=environment.name,
                )


def _is_rendered(overlay: CommittedOverlay, name: str) -> bool:
    """Whether there is an object for a Secret; one that is sealed for another name is told elsewhere."""
    if isinstance(overlay.environment.backend, ExternalSecret):
        return True
    return name in overlay.manifests and overlay.manifests[name].object["metadata"].get("name") == name


def _kustomization(environment: Environment) -> str:
    return environment.project.name(environment.path(environment.overlay.spec.kustomization))


def _missing(root: Build, environment: Environment, names: Sequence[str]) -> Sequence[str]:
    built = {each.name for each in provided(root)}
    renaming = layers.renaming(root.way_to(environment))
    written = {each.written for each in provided(root)}
    return [name for name in names if not {name, renaming.of(name)} & (built | written)]


@rule("secret-twice", "error")
def secret_twice(repository: Repository) -> Iterator[Finding]:
    """Two objects of one build make the same Secret.

    Its content is that of whichever came last, and a controller may refuse it or fight for it. Remove one of them.
    """
    for root in repository.builds:
        namespaces = {each.namespace for each in root.environments}
        usual = namespaces.pop() if len(namespaces) == 1 else ""
        first: dict[tuple[str, str], Provided] = {}
        for each in sorted(provided(root), key=lambda each: not _is_from_overlay(root, each.document)):
            name = without_hash(each.name) if each.document.subject.kind == "Secret" else each.name
            before = first.setdefault((each.namespace or usual, name), each)
            if before is not each and not (each.shares or before.shares):
                subject, other = each.subject, before.document
                what = (
                    f"{name} is made twice, by this {subject.kind} and by the {other.subject.kind} of {other.place()}"
                )
                overlay = root.environments[0].name if len(root.environments) == 1 else ""
                place = each.document.place("metadata", "name")
                yield Finding(
                    message=what,
                    place=place,
                    hint="remove one of them",
                    subject=subject,
                    field="metadata.name",
                    overlay=overlay,
                )


def _is_from_overlay(root: Build, document: Document) -> bool:
    """Whether it is one of the rendered manifests, which are not to blame."""
    folders = (each.project.name(each.path(FOLDER)) for each in root.environments)
    return os.path.dirname(document.file) in folders


RULES = (not_deployed, generator_skipped, namespace_missing, manifests_out_of_date, secret_twice)
