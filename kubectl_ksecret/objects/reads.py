"""Who reads which Secret: the places in Kubernetes objects that name one."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from ..model.kubernetes import STORES, Object
from ..model.types.overlay import SecretReference
from .documents import Path, mapping, sequence

How = Literal["env", "envFrom", "volume", "image pull", "tls", "other"]


class Read(NamedTuple):
    """A place that names a Secret, and the key of it, or all of its keys."""

    secret: str
    key: str | None
    optional: bool
    how: How
    path: Path  # of the Secret's name
    key_path: Path = ()  # of the key's
    namespace: str = ""  # where the reader says one; else it is the reader's own


POD_SPECS: dict[str, Path] = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "ReplicationController": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Rollout": ("spec", "template", "spec"),  # Argo Rollouts
}
_PROVIDERS = ("ExternalSecret", "SealedSecret")
_MENTIONING = ("Role", "ClusterRole", "PersistentVolume", "StorageClass")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_DRIVERS = ("flexVolume", "cephfs", "rbd", "iscsi", "scaleIO", "storageos")
_TLS = ("tls.crt", "tls.key")
_INGRESS_ANNOTATIONS = (
    "nginx.ingress.kubernetes.io/auth-secret",
    "nginx.ingress.kubernetes.io/auth-tls-secret",
    "nginx.ingress.kubernetes.io/proxy-ssl-secret",
    "ingress.kubernetes.io/auth-secret",
)


def reads(document: Object, further: Iterable[SecretReference] = ()) -> Iterator[Read]:
    """All Secrets that an object names; what is not in the form of its kind is passed over."""
    kind = document.get("kind")
    if kind in POD_SPECS:
        path = POD_SPECS[kind]
        yield from _of_pod(_at(document, path), path)
    elif kind in _OTHERS:
        yield from _OTHERS[kind](document)
    for reference in further:
        if reference.kind == kind:
            yield from _of_reference(document, reference)


def pod_spec(document: Object) -> Object:
    """The pod's specification of a workload; empty for what is none."""
    path = POD_SPECS.get(str(document.get("kind")))
    return mapping(_at(document, path)) if path else {}


def pod_metadata(document: Object) -> Object:
    """The metadata of the pods of a workload that has a template for them; empty for what has none."""
    path = POD_SPECS.get(str(document.get("kind")), ())[:-1]
    return mapping(mapping(_at(document, path)).get("metadata")) if path else {}


def mentions(document: Object) -> Iterator[str]:
    """All texts of an object that may name a Secret in a place that is not known here, such as an operator's own kind.

    What stands after a slash counts by itself too: the text may be NAMESPACE/NAME.
    """
    group, kind = str(document.get("apiVersion", "")).rpartition("/")[0], str(document.get("kind"))
    foreign = "." in group and not group.endswith(".k8s.io") and kind not in (*POD_SPECS, *_PROVIDERS)
    if foreign or kind in _MENTIONING:
        rest = {field: value for field, value in document.items() if field not in ("kind", "metadata")}
        annotations = mapping(document.get("metadata")).get("annotations")
        for text in (*_all_texts(rest), *_all_texts(annotations)):
            yield text
            yield text.rpartition("/")[2]


def _all_texts(found: object) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    for each in (*mapping(found).values(), *sequence(found)):
        yield from _all_texts(each)


def _at(document: object, path: Path) -> object:
    for step in path:
        document = mapping(document).get(str(step))
    return document


def _of_pod(spec: object, path: Path) -> Iterator[Read]:
    said = mapping(spec)
    for containers in _CONTAINERS:
        for index, container in enumerate(sequence(said.get(containers))):
            yield from _of_container(mapping(container), (*path, containers, index))
    for index, volume in enumerate(sequence(said.get("volumes"))):
        yield from _of_volume(mapping(volume), (*path, "volumes", index))
    yield from _of_list(said, "imagePullSecrets", "image pull", path)


def _of_container(container: Object, path: Path) -> Iterator[Read]:
    for index, variable in enumerate(sequence(container.get("env"))):
        reference = mapping(mapping(mapping(variable).get("valueFrom")).get("secretKeyRef"))
        if isinstance(reference.get("key"), str):
            yield from _named(reference, "name", "env", (*path, "env", index, "valueFrom", "secretKeyRef"))
    for index, each in enumerate(sequence(container.get("envFrom"))):
        yield from _named(mapping(each).get("secretRef"), "name", "envFrom", (*path, "envFrom", index, "secretRef"))


def _of_volume(volume: Object, path: Path) -> Iterator[Read]:
    yield from _of_items(volume.get("secret"), "secretName", (*path, "secret"))
    for index, source in enumerate(sequence(mapping(volume.get("projected")).get("sources"))):
        where = (*path, "projected", "sources", index, "secret")
        yield from _of_items(mapping(source).get("secret"), "name", where)
    published = mapping(volume.get("csi")).get("nodePublishSecretRef")
    yield from _named(published, "name", "volume", (*path, "csi", "nodePublishSecretRef"))
    yield from _named(volume.get("azureFile"), "secretName", "volume", (*path, "azureFile"))
    for driver in _DRIVERS:
        reference = mapping(volume.get(driver)).get("secretRef")
        yield from _named(reference, "name", "volume", (*path, driver, "secretRef"))


def _of_items(found: object, field: str, path: Path) -> Iterator[Read]:
    """A volume takes the keys that it lists, or all."""
    source = mapping(found)
    name, optional = source.get(field), source.get("optional") is True
    if not isinstance(name, str):
        return
    items = sequence(source.get("items"))
    if not items:
        yield Read(name, None, optional, "volume", (*path, field))
    for index, each in enumerate(items):
        if isinstance(key := mapping(each).get("key"), str):
            yield Read(name, key, optional, "volume", (*path, field), (*path, "items", index, "key"))


def _named(found: object, field: str, how: How, path: Path) -> Iterator[Read]:
    """What a mapping names: a Secret, and a key or all of them; perhaps in a namespace that it says."""
    reference = mapping(found)
    name, key, namespace = reference.get(field), reference.get("key"), reference.get("namespace")
    if not isinstance(name, str):
        return
    optional = reference.get("optional") is True
    elsewhere = namespace if isinstance(namespace, str) else ""
    if isinstance(key, str):
        yield Read(name, key, optional, how, (*path, field), (*path, "key"), elsewhere)
    else:
        yield Read(name, None, optional, how, (*path, field), (), elsewhere)


def _of_list(owner: Object, field: str, how: How, path: Path) -> Iterator[Read]:
    for index, each in enumerate(sequence(owner.get(field))):
        yield from _named(each, "name", how, (*path, field, index))


def _of_ingress(document: Object) -> Iterator[Read]:
    for index, each in enumerate(sequence(mapping(document.get("spec")).get("tls"))):
        name = mapping(each).get("secretName")
        if isinstance(name, str):
            for key in _TLS:
                yield Read(name, key, False, "tls", ("spec", "tls", index, "secretName"))
    annotations = mapping(mapping(document.get("metadata")).get("annotations"))
    for annotation in _INGRESS_ANNOTATIONS:
        if isinstance(said := annotations.get(annotation), str):
            namespace, _, name = said.rpartition("/")
            yield Read(name, None, False, "other", ("metadata", "annotations", annotation), (), namespace)


def _of_gateway(document: Object) -> Iterator[Read]:
    for index, listener in enumerate(sequence(mapping(document.get("spec")).get("listeners"))):
        for number, each in enumerate(sequence(mapping(mapping(listener).get("tls")).get("certificateRefs"))):
            if mapping(each).get("kind", "Secret") == "Secret":
                path = ("spec", "listeners", index, "tls", "certificateRefs", number)
                yield from _named(each, "name", "tls", path)


def _of_service_account(document: Object) -> Iterator[Read]:
    yield from _of_list(document, "imagePullSecrets", "image pull", ())
    yield from _of_list(document, "secrets", "other", ())


def _of_store(document: Object) -> Iterator[Read]:
    yield from _credentials(mapping(document.get("spec")).get("provider"), ("spec", "provider"), within=False)


def _credentials(found: object, path: Path, *, within: bool) -> Iterator[Read]:
    """What a store of any provider signs in with: all of them end the field's name, or one above it, in SecretRef."""
    for index, each in enumerate(sequence(found)):
        yield from _credentials(each, (*path, index), within=within)
    said = mapping(found)
    if isinstance(said.get("name"), str) and (within or said.get("type") == "Secret"):
        yield from _named(said, "name", "other", path)
        return
    for field, below in said.items():
        if isinstance(field, str):
            named = within or field.lower().endswith("secretref")
            yield from _credentials(below, (*path, field), within=named)


def _of_external_secret(document: Object) -> Iterator[Read]:
    """Templates may be those of another Secret."""
    template = mapping(mapping(mapping(document.get("spec")).get("target")).get("template"))
    for index, each in enumerate(sequence(template.get("templateFrom"))):
        path = ("spec", "target", "template", "templateFrom", index, "secret")
        yield from _of_items(mapping(each).get("secret"), "name", path)


def store_references(document: Object) -> Iterator[tuple[Path, str, str]]:
    """The stores that an ExternalSecret reads, as a whole or for an entry: where it names one, its kind and name."""
    spec = mapping(document.get("spec"))
    named: list[tuple[Path, object]] = [(("spec", "secretStoreRef"), spec.get("secretStoreRef"))]
    for field in ("data", "dataFrom"):
        for index, entry in enumerate(sequence(spec.get(field))):
            source = mapping(mapping(entry).get("sourceRef"))
            named.append((("spec", field, index, "sourceRef", "storeRef"), source.get("storeRef")))
    for path, reference in named:
        name, kind = mapping(reference).get("name"), mapping(reference).get("kind") or "SecretStore"
        if isinstance(name, str) and isinstance(kind, str):
            yield path, kind, name


def _of_reference(document: Object, reference: SecretReference) -> Iterator[Read]:
    *above, field = reference.path.split("/")
    for owner, path in _passed(document, tuple(above), ()):
        keys = list(_texts(owner, reference.key)) if reference.key else []
        optional = owner.get("optional") is True
        for name, where in _texts(owner, field):
            if not keys:
                yield Read(name, None, optional, "other", (*path, *where))
            for key, beside in keys:
                yield Read(name, key, optional, "other", (*path, *where), (*path, *beside))


def _texts(owner: Object, field_path: str) -> Iterator[tuple[str, Path]]:
    """The texts of a field, which may be one or a list of them."""
    *above, field = field_path.split("/")
    for below, path in _passed(owner, tuple(above), ()):
        found = below.get(field)
        if isinstance(found, str):
            yield found, (*path, field)
        for index, each in enumerate(sequence(found)):
            if isinstance(each, str):
                yield each, (*path, field, index)


def _passed(found: object, steps: tuple[str, ...], path: Path) -> Iterator[tuple[Object, Path]]:
    """The mappings at the end of some steps, passing through lists on the way."""
    for index, each in enumerate(sequence(found)):
        yield from _passed(each, steps, (*path, index))
    if isinstance(found, dict):
        if not steps:
            yield found, path
        elif steps[0] in found:
            yield from _passed(found[steps[0]], steps[1:], (*path, steps[0]))


_OTHERS: dict[str, Callable[[Object], Iterator[Read]]] = {
    "Ingress": _of_ingress,
    "Gateway": _of_gateway,
    "ServiceAccount": _of_service_account,
    "ExternalSecret": _of_external_secret,
    **dict.fromkeys(STORES, _of_store),
}
