"""ksecret-fn: the KRM generator. It starts on every build, so it imports only what it needs."""

import gc
import json
import os
import sys

from . import yamlio
from .checks import Scene, check, sealed
from .errors import InputError, Mistake
from .files.project import Project, decode
from .manifests import committed
from .model.environment import Environment
from .model.loading import Loader
from .model.overlay import FILE
from .model.reader import Reading, pairs_of
from .rendering import render
from .yamlio import MappingNode, Node, SequenceNode

_RESOURCE_LIST = "config.kubernetes.io/v1"
_PATHS = ("config.kubernetes.io/path", "internal.config.kubernetes.io/path")


def main() -> None:
    """Entry point: nothing on standard output unless all went well."""
    gc.disable()  # nothing lives longer than the process
    try:
        output = generate(sys.stdin.buffer.read(), os.getcwd())
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    sys.stdout.write(output)
    sys.stdout.flush()
    os._exit(0)  # tearing the interpreter down takes longer than the work


def generate(content: bytes, folder: str) -> str:
    """The ResourceList with the objects of the overlay in `functionConfig`, as JSON: kustomize prints YAML of it.

    Paths in the overlay start at `folder`, which kustomize sets to that of the kustomization that lists it.
    """
    project = Project.around(folder)
    project = Project(project.root, shown_from=project.root)
    environment = _environment(project, folder, content)
    manifests, mistakes = committed.read(environment)
    if mistakes:
        raise InputError(*mistakes)
    if findings := check(Scene(environment=environment, committed=manifests), sealed.RULES):
        raise InputError(*(finding.mistake for finding in findings))
    objects = render(environment, manifests)
    return json.dumps({"apiVersion": _RESOURCE_LIST, "kind": "ResourceList", "items": objects})


def _environment(project: Project, folder: str, content: bytes) -> Environment:
    node = _function_config(content)
    file = os.path.join(folder, FILE)
    said = project.read_if_there(file)
    if said is not None:
        stated = yamlio.compose(decode(said, project.name(file)), project.name(file))
        if len(stated) == 1 and _content(stated[0]) == _content(node):
            return Loader(project).load_node(file, stated[0], Reading(project.name(file)))
    # Patched on the way here, or from another file: there is no line to point at.
    return Loader(project).load_node(file, node, Reading("functionConfig", placed=False))


def _function_config(content: bytes) -> Node:
    """The overlay in a ResourceList that holds nothing else."""
    nodes = yamlio.compose(decode(content, "standard input"), "standard input")
    fields = {key.value: value for key, value in pairs_of(nodes[0])} if len(nodes) == 1 else {}
    config, items = fields.get("functionConfig"), fields.get("items")
    if config is None:
        raise InputError(
            Mistake(
                "expected a ResourceList with a functionConfig on standard input",
                hint="ksecret-fn is run by kustomize build --enable-alpha-plugins --enable-exec",
            )
        )
    given = items.value if isinstance(items, SequenceNode) else []
    if any(_content(item) != _content(config) or _is_of_a_package(item) for item in given):
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
    """What an overlay says, without the annotations that a tool adds on the way."""
    name = _field(_field(node, "metadata"), "name")
    parts = (_field(node, "apiVersion"), _field(node, "kind"), name, _field(node, "spec"))
    return [_plain(part) for part in parts]


def _plain(node: Node | None) -> object:
    if isinstance(node, MappingNode):
        return [(_plain(key), _plain(value)) for key, value in node.value]
    if isinstance(node, SequenceNode):
        return [_plain(each) for each in node.value]
    return (node.tag, node.value) if node else None
