"""Who reads which Secret: the places in Kubernetes objects that name one."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from ..model.kubernetes import Object
from .documents import Path, mapping, sequence

How = Literal["env", "envFrom", "volume", "image pull", "tls", "other"]


class Read(NamedTuple):
    """A place that names a Secret, and the key of it, or all of its keys; `path` leads to what names it."""

    secret: str
    key: str | None
    optional: bool
    how: How
    path: Path


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
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def reads(document: Object) -> Iterator[Read]:
    """All Secrets that an object names; what is not in the form of its kind is passed over."""
    kind = document.get("kind")
    if kind in POD_SPECS:
        path = POD_SPECS[kind]
        yield from _of_pod(_at(document, path), path)
    elif kind in _OTHERS:
        yield from _OTHERS[kind](document)


def pod_spec(document: Object) -> Object:
    """The pod's specification of a workload; empty for what is none."""
    path = POD_SPECS.get(str(document.get("kind")))
    return mapping(_at(document, path)) if path else {}


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
    for index, each in enumerate(sequence(said.get("imagePullSecrets"))):
        yield from _named(each, "name", "image pull", (*path, "imagePullSecrets", index))


def _of_container(container: Object, path: Path) -> Iterator[Read]:
    for index, variable in enumerate(sequence(container.get("env"))):
        reference = mapping(mapping(mapping(variable).get("valueFrom")).get("secretKeyRef"))
        key = reference.get("key")
        if isinstance(reference.get("name"), str) and isinstance(key, str):
            where = (*path, "env", index, "valueFrom", "secretKeyRef", "key")
            yield Read(reference["name"], key, reference.get("optional") is True, "env", where)
    for index, each in enumerate(sequence(container.get("envFrom"))):
        yield from _named(mapping(each).get("secretRef"), "name", "envFrom", (*path, "envFrom", index, "secretRef"))


def _of_volume(volume: Object, path: Path) -> Iterator[Read]:
    if isinstance(volume.get("secret"), dict):
        yield from _of_items(volume["secret"], "secretName", (*path, "secret"))
    for index, source in enumerate(sequence(mapping(volume.get("projected")).get("sources"))):
        where = (*path, "projected", "sources", index, "secret")
        yield from _of_items(mapping(mapping(source).get("secret")), "name", where)
    published = mapping(volume.get("csi")).get("nodePublishSecretRef")
    yield from _named(published, "name", "volume", (*path, "csi", "nodePublishSecretRef"))


def _of_items(source: Object, field: str, path: Path) -> Iterator[Read]:
    """A volume takes the keys that it lists, or all."""
    name, optional = source.get(field), source.get("optional") is True
    if not isinstance(name, str):
        return
    items = sequence(source.get("items"))
    if not items:
        yield Read(name, None, optional, "volume", (*path, field))
    for index, each in enumerate(items):
        if isinstance(key := mapping(each).get("key"), str):
            yield Read(name, key, optional, "volume", (*path, "items", index, "key"))


def _named(reference: object, field: str, how: How, path: Path) -> Iterator[Read]:
    name = mapping(reference).get(field)
    if isinstance(name, str):
        yield Read(name, None, mapping(reference).get("optional") is True, how, (*path, field))


def _of_ingress(document: Object) -> Iterator[Read]:
    for index, each in enumerate(sequence(mapping(document.get("spec")).get("tls"))):
        name = mapping(each).get("secretName")
        if isinstance(name, str):
            for key in ("tls.crt", "tls.key"):
                yield Read(name, key, False, "tls", ("spec", "tls", index, "secretName"))


def _of_service_account(document: Object) -> Iterator[Read]:
    for field, how in (("imagePullSecrets", "image pull"), ("secrets", "other")):
        for index, each in enumerate(sequence(document.get(field))):
            yield from _named(each, "name", how, (field, index))  # type: ignore[arg-type]


_OTHERS: dict[str, Callable[[Object], Iterator[Read]]] = {
    "Ingress": _of_ingress,
    "ServiceAccount": _of_service_account,
}
