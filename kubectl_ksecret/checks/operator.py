"""What External Secrets Operator no longer serves, and what its webhook refuses."""

from collections.abc import Iterator, Mapping

from ..errors import Mend
from ..model.kubernetes import OPERATOR, SERVICE_ACCOUNT, SERVICE_ACCOUNT_NAME, STORES
from ..objects.documents import Document, Path, dotted, mapping, sequence
from ..objects.producers import ProducedSecret, produced_by
from . import Finding, rule
from .objects import built, loose, once, place_of, written
from .scope import Repository
from .supply import supply_of

_OLD = (f"{OPERATOR}/v1beta1", f"{OPERATOR}/v1alpha1")
_SPECS: dict[str, Path] = {"ExternalSecret": ("spec",), "ClusterExternalSecret": ("spec", "externalSecretSpec")}
_KINDS = (*_SPECS, *STORES)  # a PushSecret is v1alpha1 to this day
_NOT_OWNED = ("Merge", "None", "CreateOrMerge")


@rule("old-api-version", "error")
def old_api_version(repository: Repository) -> Iterator[Finding]:
    """A manifest has an API version of External Secrets Operator that is no longer served: v1beta1 or v1alpha1.

    Since version 0.17 of the operator the API server refuses it. Write external-secrets.io/v1; the fields are the same.
    """
    yield from once(_old(repository))


def _old(repository: Repository) -> Iterator[Finding]:
    identity = {(document.subject.kind, document.subject.name) for document in written(repository)}
    unwritten = (
        document for document in built(repository) if (document.subject.kind, document.subject.name) not in identity
    )
    for document in (*written(repository), *unwritten):
        version = document.object.get("apiVersion")
        if document.subject.kind in _KINDS and version in _OLD:
            message = f"{document.subject.kind} {document.subject.name} has {version}, which is no longer served"
            place = document.place("apiVersion")
            hint, subject = f"write {OPERATOR}/v1", document.subject
            beta = version == f"{OPERATOR}/v1beta1"  # the same fields, so that one word mends it
            mend = Mend(place, version, f"{OPERATOR}/v1") if beta else None
            yield Finding(
                message=message,
                place=place,
                hint=hint,
                subject=subject,
                field="apiVersion",
                mend=mend,
            )


@rule("operator-refuses", "error")
def operator_refuses(repository: Repository) -> Iterator[Finding]:
    """An ExternalSecret says what the operator's webhook refuses.

    Nothing of the deployment is applied, or the Secret never comes to be. Correct the field: an ExternalSecret takes
    something (data or dataFrom), each entry of dataFrom is one of extract, find and sourceRef, each secretKey stands
    there once, only a Secret that the operator owns can be deleted by it, and a Secret has one owner. What newer
    versions alone refuse is a warning.
    """
    yield from once(_refused(repository))


def _refused(repository: Repository) -> Iterator[Finding]:
    for document in built(repository):
        if document.subject.kind in _SPECS and document.group == OPERATOR:
            yield from _nothing_taken(document)
            yield from _contradictions(repository, document)
            yield from _newer(document)
    yield from _merged(repository)
    # What no build holds may be a patch, so only what it says itself is looked at.
    for document in loose(repository, _SPECS):
        if document.group == OPERATOR:
            yield from _contradictions(repository, document)


def _spec(document: Document) -> tuple[Path, dict[str, object]]:
    path = _SPECS[document.subject.kind]
    matches = document.object
    for step in path:
        matches = mapping(matches.get(str(step)))
    return path, matches


def _nothing_taken(document: Document) -> Iterator[Finding]:
    path, spec = _spec(document)
    if not spec.get("data") and not spec.get("dataFrom"):
        message = f"{_named(document)} takes nothing: it has neither data nor dataFrom"
        field = next((name for name in ("data", "dataFrom") if name in spec), None)
        place = document.key(*path, field) if field else document.key(*path)
        yield Finding(
            message=message,
            place=place,
            hint="list what it takes under data",
            subject=document.subject,
            field=dotted(path),
        )


def _contradictions(repository: Repository, document: Document) -> Iterator[Finding]:
    path, spec = _spec(document)

    def fault(where: Path, message: str, hint: str) -> Finding:
        place = place_of(repository.build_holding(document), document, where)
        return Finding(
            message=f"{_named(document)}: {message}",
            place=place,
            hint=hint,
            subject=document.subject,
            field=dotted(where),
        )

    target = mapping(spec.get("target"))
    deletion, creation = target.get("deletionPolicy"), target.get("creationPolicy")
    if deletion == "Delete" and creation in _NOT_OWNED:
        message = f"deletionPolicy Delete does not go with creationPolicy {creation}"
        yield fault((*path, "target", "deletionPolicy"), message, "the operator deletes only what it owns: Owner")
    if deletion == "Merge" and creation == "None":
        message = "deletionPolicy Merge does not go with creationPolicy None"
        yield fault((*path, "target", "deletionPolicy"), message, "there is no Secret to merge with")
    if deletion in (None, "Retain"):
        for index, key in _repeated(spec):
            yield fault((*path, "data", index, "secretKey"), f"secretKey {key} stands here twice", "remove one")
    for index, entry in enumerate(sequence(spec.get("dataFrom"))):
        where = (*path, "dataFrom", index)
        text = [name for name in ("extract", "find") if mapping(entry).get(name) is not None]
        source = mapping(entry).get("sourceRef")
        of_generator = mapping(source).get("generatorRef") is not None
        taken = [*text, *(["sourceRef.generatorRef"] if of_generator else [])]
        if len(taken) > 1:
            yield fault(where, f"{' and '.join(taken)} do not go together", "make an entry of each")
        elif not text and source is None:
            yield fault(where, "the entry takes nothing", "set one of extract, find and sourceRef")
        elif source is not None and not of_generator and mapping(source).get("storeRef") is None:
            yield fault((*where, "sourceRef"), "sourceRef names nothing", "set generatorRef or storeRef")


# With a Secret of such a type somebody could sign in to the cluster.
_SIGNING_IN = ("bootstrap.kubernetes.io/token", SERVICE_ACCOUNT)
_DATA, _ANNOTATIONS, _LABELS = "data", "annotations", "labels"  # the operator looks at no case of letters


def _newer(document: Document) -> Iterator[Finding]:
    """Find what newer versions of the operator refuse; the one in the cluster is not known."""
    path, spec = _spec(document)
    target = mapping(spec.get("target"))
    template, above = mapping(target.get("template")), (*path, "target", "template")

    def fault(where: Path, message: str, hint: str) -> Finding:
        return Finding(
            message=f"{_named(document)}: {message}",
            place=document.place(*where),
            hint=hint,
            subject=document.subject,
            field=dotted(where),
            milder="warning",
        )

    type_, targets = template.get("type"), list(_targets(template))
    annotations = mapping(mapping(template.get("metadata")).get("annotations"))
    # external-secrets#6280
    if type_ in _SIGNING_IN and (type_ != SERVICE_ACCOUNT or SERVICE_ACCOUNT_NAME in annotations):
        message = f"its Secret has the type {type_}, which the operator refuses since 2.4.1"
        yield fault((*above, "type"), message, "have Kubernetes make the token")
    elif type_ == SERVICE_ACCOUNT and _ANNOTATIONS in (part for _, part in targets):
        message = (
            f"templateFrom makes annotations of a Secret of the type {type_}, which the operator refuses since 2.4.1"
        )
        yield fault((*above, "type"), message, "have Kubernetes make the token")
    if not _makes_a_secret(target):
        return
    for index, part in targets:
        # external-secrets#6730: a path such as metadata.ownerReferences, which 1.0 to 2.8 take.
        if part not in (_DATA, _ANNOTATIONS, _LABELS):
            message = "the target of templateFrom is none of Data, Annotations and Labels, which the operator refuses"
            where = (*above, "templateFrom", index, "target")
            yield fault(where, f"{message} since 2.9 for a Secret", "let it make data, annotations or labels")


def _targets(template: Mapping[str, object]) -> Iterator[tuple[int, str]]:
    """Yield the number of each entry of templateFrom, and the part of the Secret that it makes."""
    for index, entry in enumerate(sequence(template.get("templateFrom"))):
        part = mapping(entry).get("target") or _DATA
        if isinstance(part, str):
            yield index, part.lower()


def _makes_a_secret(target: Mapping[str, object]) -> bool:
    """Whether the operator makes a Secret; since 1.0 it can make any other object, too."""
    manifest = mapping(target.get("manifest"))
    return not manifest or (manifest.get("apiVersion"), manifest.get("kind")) == ("v1", "Secret")


def _merged(repository: Repository) -> Iterator[Finding]:
    """Find an ExternalSecret that adds to a Secret that another one owns, which the operator refuses since 0.11."""
    for build in repository.builds:
        supply = supply_of(build)
        for document in build.objects:
            merging = [secret for secret in produced_by(document) if secret.merges]
            if document.group != OPERATOR or document.at("spec", "target", "creationPolicy") != "Merge":
                continue
            for secret in merging:
                for other in supply.secrets.at(supply.namespace(document), secret.name):
                    if other.producer is not None and other.producer is not document and _owns(other):
                        yield _on_an_owned_secret(document, other.producer, secret.name)


def _owns(secret: ProducedSecret) -> bool:
    document = secret.producer
    if document is None or (document.group, document.subject.kind) != (OPERATOR, "ExternalSecret"):
        return False
    return document.at("spec", "target", "creationPolicy") in (None, "Owner")


def _on_an_owned_secret(document: Document, owner: Document, secret: str) -> Finding:
    field = ("spec", "target", "creationPolicy")
    owned = f"{secret}, which ExternalSecret {owner.subject.name} owns"
    return Finding(
        message=f"{_named(document)}: creationPolicy Merge onto {owned}",
        place=document.place(*field),
        hint="list in one of them what both take, or give the owner the creationPolicy Orphan",
        subject=document.subject,
        field=dotted(field),
    )


def _named(document: Document) -> str:
    return f"{document.subject.kind} {document.subject.name}"


def _repeated(spec: dict[str, object]) -> Iterator[tuple[int, str]]:
    seen = set()
    for index, entry in enumerate(sequence(spec.get("data"))):
        key = mapping(entry).get("secretKey")
        if isinstance(key, str):
            if key in seen:
                yield index, key
            seen.add(key)


RULES = (old_api_version, operator_refuses)
