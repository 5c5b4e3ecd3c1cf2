"""Who reads which Secret: the places in an object that name one, as the table in `references` has them."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..model.kubernetes import OPERATOR, STORES, Object
from ..model.types.overlay import SecretReference
from .documents import Document, Path, mapping, sequence
from .references import GROUPS, POD_FIELDS, USUAL_TEMPLATE, WORKLOAD_FIELDS, How, SecretField, read_by

__all__ = [
    "How",
    "SecretRead",
    "mentions",
    "pod_metadata",
    "pod_metadata_path",
    "reads",
    "runs_pods",
    "store_references",
]


class SecretRead(NamedTuple):
    """A place in an object that reads a Secret: one key of it, or all of them if `key` is None.

    `path` leads to the Secret's name, `key_path` to the key's. `namespace` is where the Secret must lie, empty if
    nothing says so, and `elsewhere` is set where it lies in a namespace that no object of the repository names.
    Whether the object of an operator that is not known here really reads it is not `certain`.
    """

    reader: Document
    namespace: str
    secret: str
    key: str | None
    optional: bool
    how: How
    path: Path
    key_path: Path = ()
    elsewhere: bool = False
    certain: bool = True


_GENERATORS = f"generators.{OPERATOR}"
_NOT_WALKED = ("ExternalSecret", "ClusterExternalSecret", "SealedSecret", "PushSecret", *STORES)
_MENTIONING = ("Role", "ClusterRole", "PersistentVolume", "StorageClass")
_FILLED_IN = "${"  # as in a StorageClass, whose parameters the provisioner completes


def reads(document: Document, further: Iterable[SecretReference] = ()) -> Iterator[SecretRead]:
    """Yield every Secret that an object reads; what is not in the form of its kind is passed over."""
    kind, rows = document.subject.kind, read_by(document.group, document.subject.kind)
    pushed = list(_pushed(document)) if kind == "PushSecret" else []
    yield from pushed
    for row in () if pushed else rows:
        yield from _of_row(document, row)
    if template := _usual_pod(document):
        yield from _of_pod(document, template, _USUAL)
    if kind in STORES:
        provider = _at(document.object, ("spec", "provider"))
        yield from _credentials(document, provider, ("spec", "provider"), within=False)
    elif document.group == _GENERATORS:
        yield from _credentials(document, document.object.get("spec"), ("spec",), within=False)
    elif not rows and is_foreign(document):
        yield from _of_any(document, document.object, ())
    for reference in further:
        if reference.kind == kind:
            yield from _of_row(document, _row_of(reference))


_USUAL: Path = tuple(USUAL_TEMPLATE.split("/"))
_POD_ROWS = tuple(
    SecretField(kind="", path=field.path, key=field.key, items=field.items, how=field.how, namespace="")
    for field in POD_FIELDS
)


def _row_of(reference: SecretReference) -> SecretField:
    return SecretField(kind=reference.kind, path=reference.path, key=reference.key or "")


def is_foreign(document: Document) -> bool:
    """Whether an object is of a kind that Kubernetes itself does not have, and that may hold anything."""
    group = document.group
    return "." in group and not group.endswith(".k8s.io") and document.subject.kind not in _NOT_WALKED


def is_unknown(document: Document) -> bool:
    """Whether an object belongs to an operator of which nothing is known here."""
    return is_foreign(document) and document.group not in GROUPS and not runs_pods(document)


def runs_pods(document: Document) -> bool:
    """Whether an object is a workload, of whatever kind."""
    return (document.group, document.subject.kind) in WORKLOAD_FIELDS or any(True for _ in _pods(document))


def pod_metadata(document: Document) -> Object:
    """Return the metadata of the pods of a workload that has a template for them; empty for what has none."""
    for path in _pods(document):
        if len(path) > 1:
            return mapping(mapping(_at(document.object, path[:-1])).get("metadata"))
    return {}


def pod_metadata_path(document: Document) -> Path:
    """Return the path of the metadata that the pods of a workload get; a pod has its own."""
    return next(((*path[:-1], "metadata") for path in _pods(document)), ("metadata",))


def _pods(document: Document) -> Iterator[Path]:
    """Find the specifications of pods in an object."""
    if _usual_pod(document):
        yield _USUAL
    for row in read_by(document.group, document.subject.kind):
        path, of_pod, _ = row.path.partition("/containers/envFrom/")
        if of_pod:
            yield from (at for _, at in _passed(document.object, _steps(path), ()))
    if is_foreign(document) and not read_by(document.group, document.subject.kind):
        yield from (path for path in _pods_in(document.object, ()) if path != _USUAL)


def _usual_pod(document: Document) -> Object:
    """Return what stands where most workloads have the specification of their pods; empty if it is none."""
    template = mapping(_at(document.object, _USUAL))
    has_containers = any(template.get(field) for field in ("containers", "initContainers"))
    return template if has_containers or not is_foreign(document) else {}


def _pods_in(value: object, path: Path) -> Iterator[Path]:
    for index, element in enumerate(sequence(value)):
        yield from _pods_in(element, (*path, index))
    if isinstance(value, dict):
        if _is_pod(value):
            yield path
            return
        for field, below in value.items():
            if isinstance(field, str):
                yield from _pods_in(below, (*path, field))


def _is_pod(value: Object) -> bool:
    """Whether a mapping has containers, as the specification of a pod alone has them."""
    containers = [mapping(container) for container in sequence(value.get("containers"))]
    return any("image" in container or "name" in container for container in containers)


def _of_pod(document: Document, spec: Object, path: Path) -> Iterator[SecretRead]:
    for row in _POD_ROWS:
        yield from _of_row(document, row, spec, path)


def _of_any(document: Document, value: object, path: Path) -> Iterator[SecretRead]:
    """Look for pods, and for what names a Secret as pods do, in an object of any form."""
    for index, element in enumerate(sequence(value)):
        yield from _of_any(document, element, (*path, index))
    if not isinstance(value, dict) or path == _USUAL:
        return
    if _is_pod(value):
        yield from _of_pod(document, value, path)
        return
    for field, below in value.items():
        if not isinstance(field, str) or (not path and field in ("metadata", "status")):
            continue
        if field == "secretKeyRef" and isinstance(mapping(below).get("key"), str):
            read = _named(document, below, (*path, field), how="env")
            yield from (secret_read._replace(certain=document.group in GROUPS) for secret_read in read)
        else:
            yield from _of_any(document, below, (*path, field))


def _of_row(document: Document, row: SecretField, value: object = None, path: Path = ()) -> Iterator[SecretRead]:
    """Read the fields of one row of the table, from an object or from what stands at a path of it."""
    *above, field = _steps(row.path)
    for owner, at in _passed(document.object if value is None else value, tuple(above), path):
        if row.only_kind and owner.get("kind", "Secret") != "Secret":
            continue
        if row.how == "env" and not isinstance(owner.get("key"), str):
            continue
        for name, where in _texts(owner, (field,)):
            yield from _read(document, row, owner, name, (*at, *where), at)


def _read(
    document: Document, row: SecretField, owner: Object, name: str, path: Path, above: Path
) -> Iterator[SecretRead]:
    namespace = owner.get(row.namespace) if row.namespace else None
    text = namespace if isinstance(namespace, str) else ""
    if row.is_path:
        before, _, name = name.rpartition("/")
        text = before or text
    if _FILLED_IN in name:
        return
    read = SecretRead(
        reader=document,
        namespace=text or document.subject.namespace,
        secret=name,
        key=None,
        optional=owner.get("optional") is True,
        how=row.how,
        path=path,
        elsewhere=(row.elsewhere and not text) or _FILLED_IN in text,
    )
    for key, key_path in _keys(row, owner, above):
        yield read._replace(key=key, key_path=key_path)


def _keys(row: SecretField, owner: Object, above: Path) -> Iterator[tuple[str | None, Path]]:
    """Find which keys are read, each with its path; None is all of them."""
    if row.keys:
        yield from ((key, ()) for key in row.keys)
        return
    keys: list[tuple[str, Path]] = []
    if row.key:
        keys = [(key, (*above, *at)) for key, at in _texts(owner, _steps(row.key))]
    elif row.items:
        for index, item in enumerate(sequence(owner.get("items"))):
            if isinstance(key := mapping(item).get("key"), str):
                keys.append((key, (*above, "items", index, "key")))
        if not keys and sequence(owner.get("items")):
            return
    yield from keys
    if not keys:
        yield None, ()


def _named(document: Document, value: object, path: Path, *, how: How = "other") -> Iterator[SecretRead]:
    """Read a mapping of a name, perhaps a key, and perhaps a namespace."""
    row = SecretField(kind="", path="name", key="key", how=how)
    yield from _of_row(document, row, mapping(value), path)


def _credentials(document: Document, value: object, path: Path, *, within: bool) -> Iterator[SecretRead]:
    """Read what a store of any provider signs in with: the field's name, or one above it, ends in SecretRef."""
    for index, element in enumerate(sequence(value)):
        yield from _credentials(document, element, (*path, index), within=within)
    stated = mapping(value)
    if isinstance(stated.get("name"), str) and (within or stated.get("type") == "Secret"):
        # Without a namespace a ClusterSecretStore looks beside each ExternalSecret that uses it.
        lies_anywhere = document.subject.kind == "ClusterSecretStore" and not stated.get("namespace")
        for read in _named(document, stated, path):
            yield read._replace(elsewhere=True) if lies_anywhere else read
        return
    for field, below in stated.items():
        if isinstance(field, str):
            of_secret = within or field.lower().endswith("secretref")
            yield from _credentials(document, below, (*path, field), within=of_secret)


def _pushed(document: Document) -> Iterator[SecretRead]:
    """Narrow what a PushSecret reads to the keys that it pushes; the table has the Secret's name."""
    name = _at(document.object, ("spec", "selector", "secret", "name"))
    if not isinstance(name, str):
        return
    for index, entry in enumerate(sequence(_at(document.object, ("spec", "data")))):
        key = mapping(mapping(entry).get("match")).get("secretKey")
        if isinstance(key, str):
            yield SecretRead(
                reader=document,
                namespace=document.subject.namespace,
                secret=name,
                key=key,
                optional=False,
                how="other",
                path=("spec", "selector", "secret", "name"),
                key_path=("spec", "data", index, "match", "secretKey"),
            )


def store_references(document: Object) -> Iterator[tuple[Path, str, str]]:
    """Yield the stores that an ExternalSecret reads, as a whole or for an entry: where it names one, kind and name."""
    spec = mapping(document.get("spec"))
    references: list[tuple[Path, object]] = [(("spec", "secretStoreRef"), spec.get("secretStoreRef"))]
    for field in ("data", "dataFrom"):
        for index, entry in enumerate(sequence(spec.get(field))):
            source = mapping(mapping(entry).get("sourceRef"))
            references.append((("spec", field, index, "sourceRef", "storeRef"), source.get("storeRef")))
    for path, reference in references:
        name, kind = mapping(reference).get("name"), mapping(reference).get("kind") or "SecretStore"
        if isinstance(name, str) and isinstance(kind, str):
            yield path, kind, name


def mentions(document: Document) -> Iterator[tuple[str, Path]]:
    """Yield the texts of an object that may name a Secret in a place that is not known here, with their paths."""
    if not is_foreign(document) and document.subject.kind not in _MENTIONING:
        return
    places = {read.path for read in reads(document)}
    for field, value in document.object.items():
        if field not in ("kind", "apiVersion", "metadata", "status"):
            yield from (text for text in _all_texts(value, (field,)) if text[1] not in places)
    yield from _all_texts(document.annotations, ("metadata", "annotations"))


def _all_texts(value: object, path: Path) -> Iterator[tuple[str, Path]]:
    if isinstance(value, str):
        yield value, path
    for field, below in mapping(value).items():
        yield from _all_texts(below, (*path, str(field)))
    for index, element in enumerate(sequence(value)):
        yield from _all_texts(element, (*path, index))


def _at(value: object, path: Path) -> object:
    for step in path:
        value = mapping(value).get(str(step))
    return value


def _steps(path: str) -> tuple[str, ...]:
    """Return the names in a path of kustomize; a slash in a name is escaped."""
    if "\\" not in path:
        return tuple(path.split("/"))
    return tuple(step.replace("\\/", "/") for step in re.split(r"(?<!\\)/", path))


def _texts(owner: Object, steps: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Yield the texts of a field, which may be one or a list of them."""
    *above, field = steps
    for below, path in _passed(owner, tuple(above), ()):
        value = below.get(field)
        if isinstance(value, str):
            yield value, (*path, field)
        for index, element in enumerate(sequence(value)):
            if isinstance(element, str):
                yield element, (*path, field, index)


def _passed(value: object, steps: tuple[str, ...], path: Path) -> Iterator[tuple[Object, Path]]:
    """Yield the mappings at the end of some steps, passing through lists on the way."""
    for index, element in enumerate(sequence(value)):
        yield from _passed(element, steps, (*path, index))
    if isinstance(value, dict):
        if not steps:
            yield value, path
        elif steps[0] in value:
            yield from _passed(value[steps[0]], steps[1:], (*path, steps[0]))
