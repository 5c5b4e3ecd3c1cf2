"""SecretDeclaration: one Secret, its keys and the rules of their values, as written. Holds no value."""

from collections.abc import Mapping
from typing import Literal

from .names import Address, AnnotationName, KeyName, LabelName, LabelValue, Line, Name, Pattern, Period, Property
from .origin import Stated

Encoding = Literal["none", "base64"]
Format = Literal["url", "uuid", "base64", "json", "pem", "alphanumeric", "url-safe", "mongodb-url", "redis-url"]
Alphabet = Literal["alphanumeric", "url-safe", "hex", "digits", "printable"]
PrivateKey = Literal["rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384", "ed25519"]


class Metadata(Stated):
    """Name, labels and annotations, as every Kubernetes object has them.

    name: Name of the object.
    labels: Labels of the object itself; nothing reads them.
    annotations: Annotations of the object itself, such as the one that makes a file a kustomize generator.
    """

    name: Name
    labels: Mapping[LabelName, LabelValue] = {}
    annotations: Mapping[AnnotationName, str] = {}


class Rules(Stated):
    """What a value must satisfy before it is sealed.

    minLength: Bytes at least.
    maxLength: Bytes at most.
    pattern: Regular expression (RE2) that must be found in the value; anchor it with ^ and $.
    format: Well-known form of the value.
    literal: Whether a value that looks like ciphertext, a reference, a variable or a placeholder is meant as it is.
    """

    min_length: int | None = None
    max_length: int | None = None
    pattern: Pattern | None = None
    format: Format | None = None
    literal: bool = False


class Generate(Stated):
    """How a new value is made: either text of a length, or a private key.

    length: Characters of the text.
    alphabet: Characters that it is made of; default alphanumeric. printable has no blanks, quotes, backslashes or $.
    privateKey: Kind of a private key, which is written as PEM (PKCS #8).
    """

    length: int | None = None
    alphabet: Alphabet | None = None
    private_key: PrivateKey | None = None


class Rotation(Stated):
    """When a value is due for a new one.

    maxAge: Age at which it is due, in days, hours or minutes, as 90d, 12h or 30m.
    """

    max_age: Period


class Key(Stated):
    """One key of the Secret, or an input of its templates.

    purpose: What the value is for.
    remoteName: Name of the value in the source, before the overlay's pattern; default is the key's own name.
    property: Member of the value, which is JSON; a path as gjson reads it, such as user.password or users.0.name.
    encoding: base64 if the source holds base64 and the Secret the bytes.
    rules: What a value must satisfy.
    generate: How a new value is made.
    rotation: When the value is due for a new one.
    from: Another declaration's key (SECRET/KEY) whose value this one shares.
    template: Text with {{ key }}, {{ input | filter }} and {{ parameters.name }}.
    """

    purpose: str = ""
    remote_name: Line | None = None
    property: Property | None = None
    encoding: Encoding = "none"
    rules: Rules | None = None
    generate: Generate | None = None
    rotation: Rotation | None = None
    from_: Address | None = None
    template: str | None = None


class DeclarationSpec(Stated):
    """The Secret, the same in every environment.

    type: Type of the Secret; the keys that a known type requires must be declared.
    purpose: What the Secret is for.
    labels: Labels of the Secret.
    annotations: Annotations of the Secret.
    readers: ServiceAccounts that may read the Secret through the API; pods with env or volumes need no such right.
    keys: Keys of the Secret by name.
    inputs: Values that templates need and the Secret does not hold; same fields as a key.
    """

    type: Line = "Opaque"
    purpose: str = ""
    labels: Mapping[LabelName, LabelValue] = {}
    annotations: Mapping[AnnotationName, str] = {}
    readers: tuple[Name, ...] | None = None
    keys: Mapping[KeyName, Key]
    inputs: Mapping[KeyName, Key] = {}

    @property
    def entries(self) -> Mapping[str, Key]:
        """Keys and inputs together: what templates and `from` can name."""
        return {**self.keys, **self.inputs} if self.inputs else self.keys


class SecretDeclaration(Stated):
    """One Kubernetes Secret, declared once for every environment.

    apiVersion: ksecret.dev/v1alpha1.
    kind: SecretDeclaration.
    metadata: Its name is the Secret's name, the same in every environment.
    spec: What the Secret holds.
    """

    api_version: Literal["ksecret.dev/v1alpha1"]
    kind: Literal["SecretDeclaration"]
    metadata: Metadata
    spec: DeclarationSpec

    @property
    def name(self) -> str:
        """Return the Secret's name."""
        return self.metadata.name
