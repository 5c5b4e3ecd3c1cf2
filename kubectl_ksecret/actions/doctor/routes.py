"""The ways by which a Secret reaches containers: the variable or the file of each key."""

from collections.abc import Collection, Iterator, Sequence

from ...frozen import Record
from ...model.kubernetes import Object
from ...objects.documents import Document, Path, mapping, sequence
from ...objects.reads import SecretRead

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


class Route(Record):
    """One way of a key, or of all keys if `key` is None, into a container.

    `target` is the variable or the file as the container sees it, empty for what no container sees. `fixed` says
    whether the container keeps what it was started with, whatever becomes of the Secret.
    """

    container: str
    target: str
    secret: str
    key: str | None
    how: str
    fixed: bool
    optional: bool

    def __str__(self) -> str:
        source = self.secret if self.key is None else f"{self.secret}/{self.key}"
        return f"{self.target} ← {source} ({self.how})" if self.target else f"{source} ({self.how})"


def routes(document: Document, read: SecretRead, keys: Collection[str]) -> Iterator[Route]:
    """Yield the ways that a read takes in a workload; `keys` are those that the Secret has, for what reads them all."""
    if read.how in ("env", "envFrom"):
        yield _variable(document, read, keys)
        return
    files = list(_files(document, read)) if read.how == "volume" else []
    yield from files
    if not files:
        yield _route(read, how=read.how if read.how != "volume" else "volume that no container mounts")


def _route(
    read: SecretRead, *, how: str, container: str = "", target: str = "", key: str | None = None, fixed: bool = False
) -> Route:
    return Route(
        container=container,
        target=target,
        secret=read.secret,
        key=read.key if key is None else key,
        how=how,
        fixed=fixed,
        optional=read.optional,
    )


def _variable(document: Document, read: SecretRead, keys: Collection[str]) -> Route:
    """Return the variable of a container, or all of them. None follows a change of the Secret."""
    field = read.path.index(read.how)
    container = str(document.at(*read.path[:field], "name") or "")
    entry = mapping(document.at(*read.path[: field + 2]))
    if read.how == "env":
        target = str(entry.get("name"))
    else:
        target = ", ".join(f"{entry.get('prefix') or ''}{key}" for key in sorted(keys))
    return _route(read, how=read.how, container=container, target=target, fixed=True)


def _files(document: Document, read: SecretRead) -> Iterator[Route]:
    """Yield the files of a volume, wherever containers mount it."""
    start = read.path.index("volumes")
    pod = mapping(document.at(*read.path[:start]))
    volume = mapping(document.at(*read.path[: start + 2]))
    paths = _paths(document, read)
    for container in _containers(pod):
        for mount in map(mapping, sequence(container.get("volumeMounts"))):
            if mount.get("name") == volume.get("name"):
                yield from _mounted(read, str(container.get("name") or ""), mount, paths)


def _containers(pod: Object) -> Iterator[Object]:
    for field in _CONTAINERS:
        yield from map(mapping, sequence(pod.get(field)))


def _paths(document: Document, read: SecretRead) -> Sequence[str]:
    """Return the paths below the mount that the read key has; none for a volume with all keys."""
    if not read.key_path:
        return ()
    item: Path = read.key_path[:-1]
    return [str(mapping(document.at(*item)).get("path") or read.key)]


def _mounted(read: SecretRead, container: str, mount: Object, paths: Sequence[str]) -> Iterator[Route]:
    folder = str(mount.get("mountPath") or "").rstrip("/")
    below = str(mount.get("subPath") or "").strip("/")
    if not below:
        target = f"{folder}/{paths[0]}" if paths else f"{folder}/*"
        yield _route(read, how="volume", container=container, target=target)
        return
    if paths and paths[0] != below and not paths[0].startswith(f"{below}/"):
        return
    rest = paths[0].removeprefix(below) if paths else ""
    yield _route(
        read,
        how="volume, by subPath: it never follows a change",
        container=container,
        target=folder + rest,
        key=read.key or below,
        fixed=True,
    )
