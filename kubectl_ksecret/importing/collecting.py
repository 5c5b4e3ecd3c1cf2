"""An argument of the command line, and the objects that it holds: of a file, a folder, a kustomization, or a pipe."""

import os
from collections.abc import Iterator, Sequence

from ..errors import InputError, Mistake, Place
from ..files.project import NOT_OURS, Project, decode
from ..frozen import Record
from ..kustomize import deployment, generators, layers
from ..kustomize.layers import Layers
from ..model.kubernetes import Object
from ..model.types.origin import pairs_of
from ..model.types.overlay import FILE
from ..objects import documents
from ..objects.documents import KUSTOMIZATION_FILES, Document, Path, Tree, mapping, sequence
from ..yamlio import Node, SequenceNode
from . import ownership
from .secrets import key_names

STANDARD_INPUT = "standard input"


class OverlayForm(Record):
    """What the overlay of live Secrets is to be: its backend, its source, and for whom SOPS encrypts.

    Without a backend the Secrets keep the form that they have, and plain ones become SealedSecrets.
    """

    backend: str = ""
    source: Object | None = None
    recipients: Sequence[str] = ()


class CollectedObjects(Record):
    """All that an argument holds; `root` is the folder of the kustomization that was built, if it is one.

    `unread` are the files that can't be read, or what is left out of a cluster, each with its reason.
    """

    documents: Sequence[Document]
    tree: Tree
    layers: Layers
    project: Project
    root: str | None = None
    unread: Sequence[Mistake] = ()
    is_live: bool = False


class EnvironmentArgument(Record):
    """An environment as the user gives it.

    `text` is what was piped in, where the path is `-`; `live` is what was read of a cluster.
    """

    name: str
    path: str
    text: str | None = None
    namespace: str | None = None
    vault_url: str | None = None
    live: CollectedObjects | None = None
    form: OverlayForm = OverlayForm()


def collect(argument: EnvironmentArgument) -> CollectedObjects:
    """Return the objects of an argument. Raises InputError where there is none that can be read."""
    if argument.live is not None:
        return argument.live.but(documents=_as_meant(argument.live.documents))
    if argument.text is not None:
        project = Project(".")
        given = documents.read(argument.text, STANDARD_INPUT)
        return CollectedObjects(documents=_as_meant(given), tree=Tree(project), layers={}, project=project)
    path = os.path.realpath(argument.path)
    if os.path.basename(path) in KUSTOMIZATION_FILES and os.path.isfile(path):
        path = os.path.dirname(path)
    if not os.path.exists(path):
        raise InputError(Mistake(f"{argument.path} does not exist"))
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    project = Project.around(folder)
    if path == folder and has_kustomization(folder):
        return _built(argument, project, folder)
    return _of_files(project, path, folder)


def has_kustomization(folder: str) -> bool:
    """Whether a folder can be built."""
    return any(os.path.isfile(os.path.join(folder, name)) for name in KUSTOMIZATION_FILES)


def _built(argument: EnvironmentArgument, project: Project, folder: str) -> CollectedObjects:
    """Return what a kustomization deploys."""
    tree, built_from = Tree(project), layers.read(project, folder)
    for file in _listed_files(built_from):
        tree.documents(file)
    if tree.unreadable:
        raise InputError(*tree.unreadable)
    instead = f"kubectl ksecret import {argument.name}=-"
    objects = deployment.build_one(project, folder, tree, Place(project.name(folder)), instead).objects
    collected = [document for document in objects if not _is_generated(document) and not _is_ours(project, document)]
    namespace = next(iter(built_from.values())).object.get("namespace") if built_from else None
    collected += _generated(project, built_from, namespace if isinstance(namespace, str) else "")
    return CollectedObjects(documents=_as_meant(collected), tree=tree, layers=built_from, project=project, root=folder)


def _of_files(project: Project, path: str, folder: str) -> CollectedObjects:
    """Return the objects of a file, or of all files of a folder."""
    tree = Tree(project)
    files = [path] if path != folder else sorted([*project.yaml_files(folder), *_json_files(project, folder)])
    above: dict[str, Document] = {}
    for directory in dict.fromkeys([folder, *map(os.path.dirname, files)]):
        above |= {name: document for name, document in layers.read(project, directory).items() if name not in above}
    collected = [
        document
        for file in files
        for document in tree.documents(file)
        if os.path.basename(file) not in KUSTOMIZATION_FILES and not _is_ours(project, document)
    ]
    if path == folder:
        collected += _generated(project, above, "")
    unread = tree.unreadable
    if unread and not collected:
        raise InputError(*unread)
    return CollectedObjects(documents=_as_meant(collected), tree=tree, layers=above, project=project, unread=unread)


def _json_files(project: Project, folder: str) -> Iterator[str]:
    """Yield the JSON files of a folder, which kubectl applies as well; hidden ones are left out, as of YAML."""
    for where, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith(".") and name not in NOT_OURS)
        for name in names:
            if name.endswith(".json") and not name.startswith("."):
                yield project.inside(os.path.join(where, name))


def _is_generated(document: Document) -> bool:
    return document.subject.kind == "Secret" and os.path.basename(document.file) in KUSTOMIZATION_FILES


def _is_ours(project: Project, document: Document) -> bool:
    """Whether an object lies in an overlay of this tool: it is declared already."""
    manifests = os.path.dirname(project.shown_as(document.file))
    return os.path.isfile(os.path.join(os.path.dirname(manifests), FILE))


def _as_meant(collected: Sequence[Document]) -> Sequence[Document]:
    """Take off what Argo CD puts on live objects under a name that people use in files too."""
    for document in collected:
        if document.metadata.get("uid"):
            mapping(document.metadata.get("labels")).pop(ownership.INSTANCE, None)
    return collected


def _listed_files(built_from: Layers) -> Iterator[str]:
    """Yield the files that kustomizations list as resources."""
    for folder, kustomization in built_from.items():
        for _, _, name in layers.listed(kustomization.object, *layers.BELOW):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                yield path


def _generated(project: Project, built_from: Layers, namespace: str) -> list[Document]:
    """Return the Secrets of `secretGenerator`, as objects whose values are left out; entries that are merged are one.

    The namespace is what the deployed kustomization gives them.
    """
    generated: dict[str, Document] = {}
    for folder, kustomization in built_from.items():
        for path, entry in generators.entries(kustomization, "secretGenerator"):
            name = generators.name_of(entry)
            if not name:
                continue
            document = _secret_of(project, folder, kustomization, path, name)
            if namespace:
                document.metadata["namespace"] = namespace
            first = generated.setdefault(name, document)
            if first is not document:
                first.object["data"] |= document.object["data"]
    return list(generated.values())


def _secret_of(project: Project, folder: str, kustomization: Document, path: Path, name: str) -> Document:
    """Return the Secret that an entry of `secretGenerator` makes; its node is the entry."""
    entry = mapping(kustomization.at(*path))
    options, own = mapping(kustomization.object.get("generatorOptions")), mapping(entry.get("options"))
    metadata: Object = {
        "name": name,
        "labels": mapping(options.get("labels")) | mapping(own.get("labels")),
        "annotations": mapping(options.get("annotations")) | mapping(own.get("annotations")),
    }
    if isinstance(namespace := entry.get("namespace"), str):
        metadata["namespace"] = namespace
    keys = dict.fromkeys(_generated_keys(project, folder, kustomization, entry))
    object_: Object = {
        "kind": "Secret",
        "metadata": metadata,
        "type": entry.get("type"),
        "immutable": own.get("immutable", options.get("immutable")),
        "data": dict.fromkeys(key_names(keys)),
    }
    return Document(kustomization.file, _node(kustomization, path), object_)


def _node(document: Document, path: Path) -> Node | None:
    """Return the node of a field."""
    node = document.node
    for step in path:
        if isinstance(node, SequenceNode) and isinstance(step, int):
            node = node.value[step]
        else:
            node = next((value for key, value in pairs_of(node) if key.value == step), None)
    return node


def _generated_keys(project: Project, folder: str, kustomization: Document, entry: Object) -> Iterator[str]:
    literals, files, env_files = sources(entry)
    yield from literals
    for named in files:
        key, equals, path = named.partition("=")
        yield key if equals else os.path.basename(path or key)
    for named in env_files:
        path = os.path.join(folder, named)
        text = decode(project.read(path, Place(kustomization.file)), project.name(path))
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                yield line.partition("=")[0].strip()


def sources(entry: Object) -> tuple[list[str], list[str], list[str]]:
    """Return the keys of the literals of an entry of `secretGenerator`, its files as KEY=PATH, and its env files."""
    literals = [str(literal).partition("=")[0] for literal in sequence(entry.get("literals"))]
    env_files = [*sequence(entry.get("envs")), *([entry["env"]] if entry.get("env") else [])]
    return literals, [str(file) for file in sequence(entry.get("files"))], [str(file) for file in env_files]
