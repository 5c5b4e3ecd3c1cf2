"""The journal of a rotation until it is finished: its id and plan, never a value.

It lies in Git's own folder, out of every commit; without Git there is no place for it.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ..errors import InputError, Mistake, Refusal
from ..files.folder import Folder, locked
from ..files.project import Project

_FOLDER = os.path.join("ksecret", "rotations")


class Journal:
    """The journal of the rotation of one name in one source; had from `opened`."""

    def __init__(self, folder: Folder, name: str, id_: str, resumed: bool) -> None:
        self._folder, self._name = folder, name
        self.id, self.resumed = id_, resumed

    def finish(self) -> None:
        """Forget the rotation: it is done."""
        self._folder.remove(self._name)
        self._folder.clean()


@contextmanager
def opened(
    project: Project,
    identity: tuple[str, ...],
    name: str,
    *,
    plan: Mapping[str, object],
    new_id: Callable[[], str],
) -> Iterator[Journal]:
    """Open the journal of an unfinished rotation, or a new one; no other rotation of the name runs beside it.

    `identity` is that of the source, `name` the form that is the same for all names of the one value, `new_id` gives
    the id of a rotation that begins. Raises InputError without Git, Refusal if a journal can't be read or written. To
    what is raised inside it adds that the rotation is not finished.
    """
    if project.common_git_folder is None:
        raise InputError(Mistake("rotate needs a Git work tree: its journal lies in Git's own folder"))
    key = hashlib.sha256("\0".join((*identity, name)).encode()).hexdigest()[:32]
    with locked(os.path.join(project.common_git_folder, _FOLDER)) as folder:
        file = f"{key}.json"
        unfinished = _id(os.path.join(folder.path, file))
        id_ = unfinished or new_id()
        if unfinished is None:
            folder.write(file, json.dumps({"id": id_, **plan}, indent=2).encode())
        try:
            yield Journal(folder, file, id_, unfinished is not None)
        except InputError as error:
            hint = "run the same command again: it finishes the rotation, with no second new value"
            raise type(error)(
                *error.mistakes, Mistake(f"the rotation of {plan['name']} is not finished", hint=hint)
            ) from None


def _id(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            id_ = json.load(file)["id"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        id_ = None
    if not isinstance(id_, str) or not id_:
        hint = "remove it if the rotation that it is of shall not be finished"
        raise Refusal(Mistake(f"{path}: not a rotation's journal", hint=hint))
    return id_
