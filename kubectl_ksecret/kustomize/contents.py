"""What kustomizations name: files, folders and addresses, in any field that takes one."""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import InputError, Mistake, Place
from ..files.project import Project
from ..objects.documents import KUSTOMIZATION_FILES, Document, Path, mapping, sequence
from .layers import FOLLOWED, Layers

_LISTS = (*FOLLOWED, "crds", "configurations", "patchesStrategicMerge")
_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_CONFIGURED = ("generators", "transformers", "validators")
_GENERATORS = ("secretGenerator", "configMapGenerator")
# What kustomize takes for an address: a scheme, a user at a host, or a host that it knows; a query belongs to one.
_REMOTE = re.compile(
    r"[a-z][a-z0-9+.-]*:{1,2}(?![a-z]:)|[^/\s]+@[^/\s]+:|(?:www\.)?(?:github|gitlab|bitbucket)\.[a-z]+[/:]|gh:|"
    r"[^\s]*\?(?:ref|version|timeout|submodules)=|[^/\s]+\.[a-z]{2,}/.+\.git(?:/|$)",
    re.IGNORECASE,
)


class Named(NamedTuple):
    """A text of a kustomization that names a file, a folder or an address, with its place and its path from there."""

    layer: Document
    field: Path
    text: str
    path: str

    @property
    def place(self) -> Place:
        """Where it is named."""
        return self.layer.place(*self.field)

    @property
    def is_remote(self) -> bool:
        """Whether kustomize would look for it over a network; what lies in the tree goes first."""
        return _REMOTE.match(self.text) is not None and not os.path.exists(self.path)


def named(layers: Layers) -> Iterator[Named]:
    """Yield everything that these kustomizations name."""
    for folder, layer in layers.items():
        for field, text in _texts(layer):
            yield Named(layer, field, text, os.path.join(folder, text))


def _texts(layer: Document) -> Iterator[tuple[Path, str]]:
    for field in _LISTS:
        for index, entry in enumerate(sequence(layer.object.get(field))):
            if isinstance(entry, str) and "\n" not in entry and "\0" not in entry:
                yield (field, index), entry
            elif isinstance(entry, str):
                yield from (((field, index), text) for text in _addresses(entry))
    for field in _WITH_PATH:
        for index, entry in enumerate(sequence(layer.object.get(field))):
            if isinstance(path := mapping(entry).get("path"), str):
                yield (field, index, "path"), path
    for field in _GENERATORS:
        for index, entry in enumerate(sequence(layer.object.get(field))):
            yield from _of_generator((field, index), mapping(entry))
    if isinstance(path := mapping(layer.object.get("openapi")).get("path"), str):
        yield ("openapi", "path"), path
    for index, entry in enumerate(sequence(layer.object.get("helmCharts"))):
        yield from _of_chart(("helmCharts", index), mapping(entry))


def _of_chart(at: Path, entry: dict[str, object]) -> Iterator[tuple[Path, str]]:
    paths = [((*at, "valuesFile"), entry.get("valuesFile"))]
    for index, path in enumerate(sequence(entry.get("additionalValuesFiles"))):
        paths.append(((*at, "additionalValuesFiles", index), path))
    yield from ((field, path) for field, path in paths if isinstance(path, str))


def _of_generator(at: Path, entry: dict[str, object]) -> Iterator[tuple[Path, str]]:
    if isinstance(entry.get("env"), str):
        yield (*at, "env"), str(entry["env"])
    for list_ in ("envs", "files"):
        for index, text in enumerate(sequence(entry.get(list_))):
            if isinstance(text, str) and text:
                _, equals, path = text.partition("=")
                yield (*at, list_, index), path if equals and not _REMOTE.match(text) else text


def _addresses(text: str) -> Iterator[str]:
    """Yield the addresses in the configuration of a generator or transformer, which may name files in any field."""
    for match in re.finditer(r"""(?:path|paths|files|envs|env|url)["']?\s*:\s*[\[\s"'-]*([^\s"',\]]+)""", text):
        if _REMOTE.match(match[1]):
            yield match[1]


def resources(layers: Layers) -> Iterator[str]:
    """Yield the files that these kustomizations list as objects."""
    for mention in named(layers):
        if mention.field[0] == "resources" and not mention.is_remote and os.path.isfile(mention.path):
            yield mention.path


def files(layers: Layers) -> Iterator[str]:
    """Yield the files that these kustomizations list as objects or patches, wherever they lie."""
    for mention in named(layers):
        is_listed = mention.field[0] in (*FOLLOWED, "patches", "patchesStrategicMerge", "patchesJson6902")
        if is_listed and not mention.is_remote and os.path.isfile(mention.path):
            yield mention.path


def refusals(project: Project, layers: Layers, *, allow_remote: bool) -> Iterator[Mistake]:
    """Yield why a kustomization must not be built: something in it leads out of the project."""
    for mention in named(layers):
        if mention.is_remote or _configures_remote(project, mention):
            if not allow_remote:
                message = "a remote file or folder is not fetched"
                yield Mistake(message, mention.place, "copy it into the project, or allow it: --allow-remote")
        elif os.path.isdir(mention.path) and not _is_inside(project, mention.path):
            yield Mistake("a folder outside of the project is not built", mention.place, "copy it into the project")
        elif os.path.isdir(mention.path) and mention.field[0] in FOLLOWED and _is_unread(layers, mention.path):
            yield Mistake("a kustomization that can't be read is not built", mention.place, "correct it")


def _configures_remote(project: Project, mention: Named) -> bool:
    """Whether the configuration of a generator or transformer, in a file of its own, names an address."""
    if mention.field[0] not in _CONFIGURED or not os.path.isfile(mention.path):
        return False
    try:
        return any(True for _ in _addresses(project.read_text(mention.path)))
    except InputError:
        return False  # kustomize can't read it either


def _is_unread(layers: Layers, path: str) -> bool:
    real = os.path.realpath(path)
    return real not in layers and any(os.path.lexists(os.path.join(real, name)) for name in KUSTOMIZATION_FILES)


def _is_inside(project: Project, path: str) -> bool:
    try:
        project.inside(path)
    except InputError:
        return False
    return True


def leading_out(project: Project, layers: Layers) -> list[Named]:
    """Return the files that a kustomization names outside of its own folder, all of which must lie in the project.

    An empty list if one of them does not, or if nothing leads out: without kustomize's restriction on files it would
    read any file of the machine.
    """
    outside = []
    for mention in named(layers):
        # The configuration of a generator may name further files, in fields of any name.
        if mention.field[0] in _CONFIGURED:
            return []
        if mention.is_remote or not os.path.isfile(mention.path):
            continue
        if not _is_inside(project, mention.path):
            return []
        folder = os.path.realpath(os.path.dirname(project.shown_as(mention.layer.file)))
        if not os.path.realpath(mention.path).startswith(os.path.join(folder, "")):
            outside.append(mention)
    return outside


def missing(layers: Layers) -> Iterator[Named]:
    """Yield what these kustomizations name and is not there."""
    for mention in named(layers):
        if not mention.is_remote and not os.path.exists(mention.path):
            yield mention
