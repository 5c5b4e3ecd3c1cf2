"""A ResourceList in, a ResourceList out."""

import json
import os
from typing import NamedTuple

from .. import yamlio
from ..backends import read_committed, render
from ..checks import CommittedOverlay, check
from ..checks.limits import BEFORE_RENDERING
from ..errors import InputError, Mistake
from ..files.project import Project, decode
from ..model.kubernetes import Object
from ..model.loading import Loader
from ..model.reading.reader import Reading
from ..model.resolution import Environment
from ..model.types.origin import pairs_of
from ..model.types.overlay import FILE
from ..model.validation import sharing
from ..yamlio import Node, ScalarNode, SequenceNode

_RESOURCE_LIST = "config.kubernetes.io/v1"
_PATHS = ("config.kubernetes.io/path", "internal.config.kubernetes.io/path")


class Generated(NamedTuple):
    """What is printed, and what it was made of: whoever keeps that saves the 3 ms that it takes to free it."""

    text: str
    environment: Environment


def generate(content: bytes, folder: str) -> Generated:
    """Return the ResourceList with the objects of the overlay in `functionConfig`, as JSON; kustomize prints YAML.

    Paths in the overlay start at `folder`, which kustomize sets to that of the kustomization that lists it.
    """
    root = Project.around(folder).root
    project = Project(root, shown_from=root)
    node = _function_config(content)
    file = os.path.join(folder, FILE)
    beside = project.read_if_there(file)
    try:
        environment = _environment(project, file, beside, node)
        objects = _objects(environment)
    except InputError as error:
        if beside is None and _names_what_is_not_there(folder, node):
            raise InputError(*error.mistakes, _listed_elsewhere(project, folder)) from None
        raise
    text = json.dumps({"apiVersion": _RESOURCE_LIST, "kind": "ResourceList", "items": objects})
    return Generated(text, environment)


def _objects(environment: Environment) -> list[Object]:
    if mistakes := list(sharing.mistakes([environment], [environment])):
        raise InputError(*mistakes)
    manifests = read_committed(environment)
    if findings := check(CommittedOverlay(environment=environment, manifests=manifests), BEFORE_RENDERING):
        raise InputError(*(finding.as_mistake() for finding in findings))
    return render(environment, manifests)


def _environment(project: Project, file: str, beside: bytes | None, node: Node) -> Environment:
    """Return the environment of the overlay that was given; `beside` is the content of the file beside it."""
    if beside is not None:
        stated = yamlio.compose(decode(beside, project.name(file)), project.name(file))
        if len(stated) == 1 and _content(stated[0]) == _content(node):
            return Loader(project).load_node(file, stated[0], Reading(project.name(file)))
    # Patched on the way here, or from another file: there is no line to point at.
    return Loader(project).load_node(file, node, Reading("functionConfig", placed=False))


def _names_what_is_not_there(folder: str, overlay: Node) -> bool:
    named = _field(_field(overlay, "spec"), "declarations")
    paths = named.value if isinstance(named, SequenceNode) else []
    return any(isinstance(p, ScalarNode) and not os.path.exists(os.path.join(folder, p.value)) for p in paths)


def _listed_elsewhere(project: Project, folder: str) -> Mistake:
    return Mistake(
        f"the generator is listed in {project.name(folder)}, where its paths start and no {FILE} is",
        hint=f"list it in the kustomization.yaml beside {FILE}",
    )


def _function_config(content: bytes) -> Node:
    """Return the overlay in a ResourceList that holds nothing else."""
    nodes = yamlio.compose(decode(content, "standard input"), "standard input")
    given = nodes[0] if len(nodes) == 1 else None
    config, items = _field(given, "functionConfig"), _field(given, "items")
    if config is None:
        raise InputError(
            Mistake(
                "expected a ResourceList with a functionConfig on standard input",
                hint="ksecret-fn is run by kustomize build --enable-alpha-plugins --enable-exec",
            )
        )
    overlay = _content(config)
    resources = items.value if isinstance(items, SequenceNode) else []
    if any(_content(item) != overlay or _is_of_a_package(item) for item in resources):
        raise InputError(_REFUSED)
    return config


_REFUSED = Mistake(
    "ksecret-fn was given a package, whose resources it could only lose",
    hint="it is a generator for kustomize; under kpt, commit what kubectl ksecret render --write writes",
)


def _is_of_a_package(item: Node) -> bool:
    """Whether kpt handed it over: kustomize names no path."""
    annotations = _field(_field(item, "metadata"), "annotations")
    return any(key.value in _PATHS for key, _ in pairs_of(annotations))


def _field(node: Node | None, name: str) -> Node | None:
    return next((value for key, value in pairs_of(node) if key.value == name), None) if node else None


def _content(node: Node) -> object:
    """Return what an overlay says, without the annotations that a tool adds on the way."""
    name = _field(_field(node, "metadata"), "name")
    seen: set[int] = set()
    return [
        _plain(part, seen) for part in (_field(node, "apiVersion"), _field(node, "kind"), name, _field(node, "spec"))
    ]


def _plain(node: Node | None, seen: set[int]) -> object:
    """Return a node without its style and the order of its fields: kustomize changes both."""
    if isinstance(node, ScalarNode):
        return node.tag, node.value
    if node is None or id(node) in seen:  # an alias, which may be a bomb
        return None
    seen.add(id(node))
    if isinstance(node, SequenceNode):
        return [_plain(element, seen) for element in node.value]
    return {key.value: _plain(value, seen) for key, value in pairs_of(node) if isinstance(key, ScalarNode)}
