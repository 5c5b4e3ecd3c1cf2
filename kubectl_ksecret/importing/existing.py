"""The shared base that a further environment joins: its declarations stay, and get what only the new one has."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..frozen import Record
from ..model.kubernetes import Object
from ..model.links import root_of
from ..model.loading import readable
from ..model.resolution import Environment
from ..model.types.declaration import Key, SecretDeclaration
from .naming import KeyAddress
from .target import ImportTarget


class FieldEdit(NamedTuple):
    """A field that a file of the project gets, by the real path of the file."""

    file: str
    path: tuple[str, ...]
    value: Object


class ExistingBase(Record):
    """The declarations of a shared base, and the environments that use it."""

    declarations: Mapping[str, SecretDeclaration] = {}
    environments: Sequence[Environment] = ()

    def remote_names(self) -> dict[KeyAddress, str]:
        """Return the name of each declared key before a pattern."""
        names = {}
        for secret, declaration in self.declarations.items():
            for name, key in declaration.spec.entries.items():
                if key.template is None:
                    root_secret, root_name = root_of(self.declarations, secret, name) if key.from_ else (secret, name)
                    root = self.declarations[root_secret].spec.entries[root_name]
                    names[secret, name] = root.remote_name or root_name
        return names

    def templates(self) -> dict[KeyAddress, str]:
        """Return the template of each key that has one."""
        return {
            (secret, name): key.template
            for secret, declaration in self.declarations.items()
            for name, key in declaration.spec.entries.items()
            if key.template is not None
        }

    def object_of(self, secret: str) -> Object:
        """Return what a declaration says of its keys, as far as an override depends on it."""
        spec = self.declarations[secret].spec
        fields = {field: {name: _fields(key) for name, key in getattr(spec, field).items()} for field in _ENTRIES}
        return {"metadata": {"name": secret}, "spec": fields}

    def file_of(self, secret: str, target: ImportTarget) -> str:
        """Return the path of the file that declares a Secret."""
        return target.project.shown_as(self.declarations[secret].origin.file)

    def omissions(self, secret: str, keys: Sequence[str], new: str) -> list[FieldEdit]:
        """Return the edits that leave a new Secret, or new keys of one, out of the environments that had none."""
        edits = []
        for environment in self.environments:
            override = environment.overlay.spec.overrides.get(secret)
            above = ("spec", "overrides", secret)
            paths = [(*above, "keys", key) for key in keys] if keys else [above]
            reason = f"Not in {environment.name} when {new} was imported"
            if not (override and override.omit):
                edits += [FieldEdit(environment.file, path, {"omit": reason}) for path in paths]
        return edits


_ENTRIES = ("keys", "inputs")


def _fields(key: Key) -> Object:
    fields = {"template": key.template, "property": key.property, "remoteName": key.remote_name}
    return {name: value for name, value in fields.items() if value is not None}


def find(target: ImportTarget, names: Sequence[str]) -> ExistingBase:
    """Return the base in which the new environments are to be declared; an empty one if no other one uses it."""
    environments = []
    declarations: dict[str, SecretDeclaration] = {}
    for environment in readable(target.project):
        paths = [os.path.realpath(environment.path(path)) for path in environment.overlay.spec.declarations]
        if os.path.realpath(target.declarations) in paths and environment.name not in names:
            environments.append(environment)
            declarations |= environment.declarations
    return ExistingBase(declarations=declarations, environments=environments)


def with_edits(text: str, file: str, edits: Iterable[FieldEdit]) -> str:
    """Return the text of a file with these fields. Raises InputError where they can't be edited without a risk."""
    from ..yamlio import editing

    for edit in edits:
        text = editing.with_field(text, file, edit.path, edit.value)
    return text
