"""SecretOverlay: one namespace of one environment, as written."""

import builtins
from collections.abc import Mapping
from typing import Annotated, Literal, cast

from .backends import BACKENDS, BackendSpec
from .declaration import Metadata
from .forms import OneOf
from .names import (
    Date,
    FieldPath,
    KeyName,
    Line,
    LiteralReason,
    Name,
    Namespace,
    ObjectName,
    Path,
    Property,
    Reason,
    Uid,
)
from .origin import Stated
from .overrides import OVERRIDES, BackendOverride
from .source import Source
from .sources import SOURCES

FILE = "ksecret.yaml"


class SourceSpec(Stated):
    """Where plaintext lives; one kind of source, or none where the operator's store is all that knows it.

    names: Pattern of the names in the source, with {remoteName}, {secret} and {key}.
    property: Pattern of the member that each key takes of a JSON value or of an entry of Vault; same placeholders.
    """

    _inline = ("kind",)

    names: Line = "{remoteName}"
    property: Line | None = None
    # None where none is named: `Environment.source` is None then, so whatever reads values never sees it.
    kind: Annotated[Source, OneOf(SOURCES)] = cast(Source, None)

    @builtins.property
    def is_named(self) -> bool:
        """Return whether a kind of source is named."""
        return self.kind is not None


class ClusterIdentity(Stated):
    """The cluster that an overlay belongs to. Commands that write to a cluster refuse any other.

    uid: UID of the overlay's namespace there; `kubectl ksecret cluster pin` writes it.
    """

    uid: Uid


class Access(Stated):
    """Who may read the Secrets through the API.

    create: Whether each declaration with readers gets a Role for exactly its Secret, bound to them.
    """

    create: bool = False


class KeyOverride(Stated):
    """Where one key differs in this environment.

    remoteName: Name as it stands in the source; no pattern is applied.
    property: Member of the value, which is JSON; a path as gjson reads it.
    version: Version of the value, where the newest is not meant; `kubectl ksecret pin-versions` writes it.
    omit: Why the key is absent here, on purpose.
    literal: Why its value here is meant as it is, though it looks like a placeholder or another stand-in.
    """

    remote_name: Line | None = None
    property: Property | None = None
    version: Line | None = None
    omit: Reason | None = None
    literal: LiteralReason | None = None


class SecretOverride(Stated):
    """Where one Secret differs in this environment. Fields of the overlay's own backend can be set for it alone.

    keys: Where its keys differ.
    omit: Why the Secret is absent here, on purpose.
    """

    _inline = ("backend",)

    keys: Mapping[KeyName, KeyOverride] = {}
    omit: Reason | None = None
    backend: Annotated[BackendOverride, OneOf(OVERRIDES)] | None = None


class SecretReference(Stated):
    """A further place in which objects of a kind name a Secret, such as an operator's own workload.

    kind: Kind of the objects.
    path: Field that holds the Secret's name; lists on the way are passed through, as in kustomize's fieldSpecs.
    key: Field beside it that holds the key; left out, all keys are read.
    """

    kind: Line
    path: FieldPath
    key: FieldPath | None = None


class RuleException(Stated):
    """A finding of `check` that is accepted, on purpose and with a reason.

    rule: Name of the rule.
    object: KIND/NAME or KIND/NAMESPACE/NAME; without an object, File/ and the file's path from the project's root.
    reason: Why it is accepted.
    until: Last day of it, in quotes; needed for a plaintext Secret.
    """

    rule: Line
    object: ObjectName
    reason: Reason
    until: Date | None = None


class OverlaySpec(Stated):
    """One namespace of one environment.

    declarations: Folders (read recursively) or files of SecretDeclarations, from the overlay's folder.
    namespace: Namespace of all that is rendered.
    cluster: The cluster that has the namespace.
    kustomization: Folder of the kustomization that is deployed, from the overlay's folder.
    parameters: Text for templates; not secret.
    source: Where plaintext lives; not needed if values are piped in.
    backend: The form in which the environment gets its Secrets.
    access: Who may read the Secrets through the API.
    overrides: All that differs in this environment, by Secret and key.
    references: Further places in which objects name a Secret, for `check`.
    exceptions: Findings of `check` that are accepted.
    """

    declarations: tuple[Path, ...]
    namespace: Namespace
    cluster: ClusterIdentity | None = None
    kustomization: Path = ".."
    parameters: Mapping[KeyName, str] = {}
    source: SourceSpec | None = None
    backend: Annotated[BackendSpec, OneOf(BACKENDS)]
    access: Access | None = None
    overrides: Mapping[Name, SecretOverride] = {}
    references: tuple[SecretReference, ...] = ()
    exceptions: tuple[RuleException, ...] = ()


class SecretOverlay(Stated):
    """One namespace of one environment: its declarations, source and backend.

    apiVersion: ksecret.dev/v1alpha1.
    kind: SecretOverlay.
    metadata: Its name is unique in the project.
    spec: What the environment has.
    """

    api_version: Literal["ksecret.dev/v1alpha1"]
    kind: Literal["SecretOverlay"]
    metadata: Metadata
    spec: OverlaySpec
