"""Kustomize: does what is deployed hold the overlays' Secrets, each once and whole?"""

import os
from collections.abc import Iterator, Sequence

from ..backends import backend_of
from ..errors import Place
from ..kustomize import layers
from ..manifests.committed import FOLDER
from ..model.kubernetes import Subject
from ..model.resolution import Environment
from ..model.types.overlay import FILE
from ..objects.documents import Document
from ..objects.producers import ProducedSecret
from ..objects.reads import reads
from . import CommittedOverlay, Finding, Severity, rule, sealed
from .limits import limits
from .scope import Build, Repository, overlay_subject
from .supply import secrets_of

_FUNCTION = "config.kubernetes.io/function"


@rule("generator-skipped", "error")
def generator_skipped(repository: Repository) -> Iterator[Finding]:
    """A kustomization lists ksecret.yaml where it generates nothing.

    The build lacks every Secret of the overlay, and may say nothing of it. List ksecret.yaml under `generators` of the
    kustomization beside it, with the annotation config.kubernetes.io/function.
    """
    for build in repository.builds:
        for environment, document, field, index, (message, hint) in _skipping(build, repository.environments):
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
    build: Build, environments: Sequence[Environment]
) -> Iterator[tuple[Environment, Document, str, int, tuple[str, str]]]:
    """Yield where a build lists an overlay that generates nothing there, why, and what to do."""
    overlays = {os.path.realpath(environment.file): environment for environment in environments}
    for folder, document in build.layers.items():
        for field, index, name in layers.listed(document.object, "generators", "transformers", "validators"):
            environment = overlays.get(os.path.realpath(os.path.join(folder, name)))
            if environment and (wrong := _skipped(environment, folder, field)):
                yield environment, document, field, index, wrong


def _skipped(environment: Environment, folder: str, field: str) -> tuple[str, str] | None:
    """Return why an overlay that is listed in a folder generates nothing, and what to do."""
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
        build = repository.build_of(environment)
        way = (build.way_to(environment) or list(build.layers.values())[:1]) if build else []
        if build is None or not way:
            continue
        expected, setting = environment.namespace, layers.namespace(build.layers, way)
        hint = f"set namespace: {expected}"
        if setting and setting.object["namespace"] != expected:
            message = f"the namespace of the kustomization is not that of {environment.name}, {expected}"
            place = setting.place("namespace")
            yield Finding(
                message=message,
                place=place,
                hint=hint,
                subject=overlay_subject(environment),
                field="namespace",
                overlay=environment.name,
            )
        elif not setting and not _stands_everywhere(build, expected):
            prefixed = layers.renaming(build.layers, way) != layers.Renaming()
            message = f"the kustomization sets no namespace, {environment.name} has {expected}"
            if prefixed:
                message += ": references are not renamed with their Secret"
            severity: Severity = "error" if prefixed else "note"
            place = way[0].place()
            yield Finding(
                message=message,
                place=place,
                hint=hint,
                subject=overlay_subject(environment),
                field="namespace",
                overlay=environment.name,
                milder=severity,
            )


def _stands_everywhere(build: Build, namespace: str) -> bool:
    """Whether each object that reads a Secret names its namespace itself."""
    reading = [document for document in build.objects if any(reads(document))]
    return bool(reading) and all(document.subject.namespace == namespace for document in reading)


@rule("manifests-out-of-date", "error")
def manifests_out_of_date(repository: Repository) -> Iterator[Finding]:
    """A committed file is not what `kubectl ksecret render --write` makes of the declarations.

    What is deployed is not what is declared. Run it, and commit what it writes.
    """
    broken = {mistake.place.file for mistake in repository.unreadable if mistake.place}
    for overlay in repository.overlays:
        environment = overlay.environment
        if any(limits(environment)):
            continue  # nothing is rendered until that is mended
        outdated, reported = repository.outdated[environment.name], sealed.files_with_findings(overlay)
        for file in outdated.files:
            if file not in reported:
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
    unbuilt = {environment.name for kustomization in repository.unbuilt for environment in kustomization.environments}
    for overlay in repository.overlays:
        environment, spec = overlay.environment, overlay.environment.overlay.spec
        build = repository.build_of(environment)
        if build is None and environment.name in unbuilt:
            continue
        if build is None:
            message = f"{environment.name} is deployed by no kustomization: {_kustomization(environment)} has none"
            hint = "spec.kustomization names the folder of the one that is deployed"
            yield Finding(
                message=message,
                place=spec.origin.at("kustomization"),
                hint=hint,
                subject=overlay_subject(environment),
                overlay=environment.name,
            )
            continue
        expected = [name for name in environment.secrets if _is_rendered(overlay, name)]
        missing = _missing(build, environment, expected)
        if any(_skipping(build, [environment])):
            continue  # reported where it is listed
        if missing and len(missing) == len(expected):
            message = f"the kustomization does not hold the Secrets of {environment.name}"
            place = next(iter(build.layers.values())).key("resources") if build.layers else spec.origin.at()
            folder = os.path.relpath(os.path.realpath(environment.folder), build.folder)
            hint = f"add {folder} to its resources"
            yield Finding(
                message=message,
                place=place,
                hint=hint,
                subject=overlay_subject(environment),
                field="resources",
                overlay=environment.name,
            )
        elif not repository.outdated[environment.name].files:  # a file that is not listed is reported there
            for name in missing:
                place = environment.secrets[name].declaration.metadata.origin.at("name")
                message = f"{name} of {environment.name} is not in what is built"
                hint = "a patch removes it; omit it in the overlay instead, with the reason"
                yield Finding(
                    message=message,
                    place=place,
                    hint=hint,
                    subject=Subject("Secret", environment.namespace, name),
                    overlay=environment.name,
                )


def _is_rendered(overlay: CommittedOverlay, name: str) -> bool:
    """Whether there is an object for a Secret; one that is sealed for another name is another rule's."""
    if overlay.environment.backend.fetched:
        return True
    return name in overlay.manifests and overlay.manifests[name].object["metadata"].get("name") == name


def _kustomization(environment: Environment) -> str:
    return environment.project.name(environment.path(environment.overlay.spec.kustomization))


def _missing(build: Build, environment: Environment, names: Sequence[str]) -> Sequence[str]:
    renaming = build.renaming_of(environment)
    backend = backend_of(environment)
    built = {name for secret in secrets_of(build) for name in (secret.name, secret.written_name)}
    for document in build.objects:
        if (document.group, document.subject.kind) == (backend.group, backend.kind):
            built.update((document.subject.name, str(document.at("spec", "target", "name"))))
    return [name for name in names if not {name, renaming.of(name)} & built]


@rule("kustomization-reaches-no-secret", "note")
def kustomization_reaches_no_secret(repository: Repository) -> Iterator[Finding]:
    """A kustomization renames or moves what it builds, but not the Secrets that only `sync` makes.

    They are in no build, so neither they nor the references to them get a prefix: both keep the declared name, and
    they stay in the namespace of the overlay. Where that is not meant, give the overlay another backend.
    """
    for build in repository.builds:
        for environment in build.environments:
            if environment.backend.seals or environment.backend.fetched:
                continue
            renaming, namespace = build.renaming_of(environment), build.namespace_of(environment)
            changes = [f"the name {renaming.of('NAME')}"] if renaming.prefix or renaming.suffix else []
            changes += [f"the namespace {namespace}"] if namespace != environment.namespace else []
            if changes:
                yield Finding(
                    message=f"the Secrets of {environment.name} do not get {' and '.join(changes)}: sync makes them",
                    place=environment.overlay.spec.origin.key("backend"),
                    subject=overlay_subject(environment),
                    field="spec.backend",
                    overlay=environment.name,
                )


@rule("secret-twice", "error")
def secret_twice(build: Build) -> Iterator[Finding]:
    """Two objects of one build make the same Secret.

    Its content is that of whichever came last, and a controller may refuse it or fight for it. Remove one of them.
    """
    first: dict[tuple[str, str], ProducedSecret] = {}
    # The rendered manifests are not to blame, so they come first.
    for secret in sorted(secrets_of(build), key=lambda secret: not _is_from_overlay(build, secret.producer)):
        namespace = secret.namespace or build.usual_namespace
        before = first.setdefault((namespace, secret.unhashed_name), secret)
        if before is secret or secret.shares or before.shares:
            continue
        document, other = secret.producer, before.producer
        assert document is not None and other is not None
        yield Finding(
            message=(
                f"{secret.unhashed_name} is made twice, by this {document.subject.kind}"
                f" and by the {other.subject.kind} of {other.place()}"
            ),
            place=document.place("metadata", "name"),
            hint="remove one of them",
            subject=secret.subject,
            field="metadata.name",
            overlay=build.only_overlay,
        )


def _is_from_overlay(build: Build, document: Document | None) -> bool:
    folders = (environment.project.name(environment.path(FOLDER)) for environment in build.environments)
    return document is not None and os.path.dirname(document.file) in folders


RULES = (
    not_deployed,
    generator_skipped,
    namespace_missing,
    manifests_out_of_date,
    kustomization_reaches_no_secret,
    secret_twice,
)
