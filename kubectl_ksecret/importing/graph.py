"""Which kustomizations of a project deploy which: a line of a base concerns everybody above it."""

import os
from collections.abc import Iterable, Iterator

from ..files.project import NOT_OURS, Project
from ..kustomize import layers
from ..objects.documents import KUSTOMIZATION_FILES, Document


class Graph:
    """The kustomizations of a project, by the real path of their folder."""

    def __init__(self, project: Project, folders: Iterable[str | None]) -> None:
        self._kustomizations: dict[str, Document] = {}
        for folder in (*filter(None, folders), *_folders(project)):
            if folder not in self._kustomizations:
                self._kustomizations |= layers.read(project, folder)
        self._above: dict[str, set[str]] = {folder: set() for folder in self._kustomizations}
        self._listing: dict[str, set[str]] = {}  # by real path of a file
        for folder in self._kustomizations:
            for path in self._listed(folder):
                if path in self._above:
                    self._above[path].add(folder)
                else:
                    self._listing.setdefault(path, set()).add(folder)

    def kustomization(self, folder: str) -> Document | None:
        """Return the kustomization of a folder."""
        return self._kustomizations.get(folder)

    def listed(self, folder: str) -> Iterator[tuple[str, int, str]]:
        """Yield the resources, components and bases of a folder's kustomization: field, number and text."""
        return layers.listed(self._kustomizations[folder].object, *layers.BELOW)

    def _listed(self, folder: str) -> Iterator[str]:
        for _, _, name in self.listed(folder):
            yield os.path.realpath(os.path.join(folder, name))

    def parents(self, folder: str) -> set[str]:
        """Return the folders whose kustomizations list this one."""
        return self._above.get(folder, set())

    def listing(self, file: str) -> set[str]:
        """Return the folders whose kustomizations list a file."""
        return self._listing.get(file, set())

    def roots(self, path: str) -> set[str]:
        """Return the kustomizations that nobody lists and that deploy a folder or a file."""
        roots: set[str] = set()
        todo = [path] if path in self._above else list(self._listing.get(path, ()))
        seen: set[str] = set()
        while todo:
            folder = todo.pop()
            if folder in seen:
                continue
            seen.add(folder)
            todo += self._above[folder]
            if not self._above[folder]:
                roots.add(folder)
        return roots


def _folders(project: Project) -> Iterator[str]:
    """Yield the folders of the project that have a kustomization, hidden ones too: a team may deploy from there."""
    for where, below, files in os.walk(project.root):
        below[:] = sorted(name for name in below if name != ".git" and name not in NOT_OURS)
        if not set(KUSTOMIZATION_FILES).isdisjoint(files):
            yield os.path.realpath(where)
