"""Where plaintext lives, as an overlay names it: one type for each kind of source."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping

from ...errors import Mistake, Place
from .names import (
    ALIBABA_KMS_NAME,
    KEY_VAULT_NAME,
    Argument,
    Duration,
    HostName,
    HttpsUrl,
    Line,
    Path,
    Period,
    RegionName,
    VaultAddress,
    VaultPath,
)
from .origin import Origin, Stated
from .source import PathBase, Source, SourceUse


class KeyVaultWrite(Stated):
    """What a new version in the vault carries beside its value, for teams whose policy demands it.

    expiresAfter: When it expires, from the moment when it is written.
    tags: Tags beside those that the secret has.
    contentType: Its content type; left out, that of the version before.
    """

    expires_after: Period | None = None
    tags: Mapping[Line, str] = {}
    content_type: Line | None = None


class AzureKeyVault(Source):
    """Azure Key Vault.

    vaultUrl: URL of the vault, such as https://my-vault.vault.azure.net.
    parallelism: How many requests run side by side.
    write: What a new version carries.
    """

    vault_url: HttpsUrl
    parallelism: int = 8
    write: KeyVaultWrite | None = None

    versioned = True
    reads_versions = True
    writable = True
    lists_names = True
    runs_program = False
    names_are_variables = False

    def identity(self, folder: str) -> tuple[str, ...]:
        """Return the vault's URL; host names have no case."""
        return (self.vault_url.rstrip("/").lower(),)

    def same_name(self, name: str) -> str:
        """Return the name in lower case: Key Vault compares names without case."""
        return name.lower()

    def refused_version(self, version: str) -> str:
        """Refuse what is not the id that Key Vault gives to a version."""
        return "" if _KEY_VAULT_VERSION.fullmatch(version) else "a version in Key Vault has 32 hexadecimal digits"

    def shown(self, base: PathBase) -> str:
        """Return its URL."""
        return self.vault_url

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return nothing."""
        return ()

    def mistakes(self, use: SourceUse) -> Iterator[Mistake]:
        """Find names that no vault takes; some would even lead to another place of it."""
        yield from _parallelism(self.parallelism, self.origin)
        # External Secrets Operator reads keys and certificates too, under a name with the kind before it.
        kinds = "((secret|key|cert)/)?" if use.fetched else ""
        valid = re.compile(kinds + KEY_VAULT_NAME.pattern)
        if not valid.fullmatch(use.pattern):
            if "{" not in use.pattern and "}" not in use.pattern:  # reported already, as no placeholder's
                message = "this pattern gives names that Key Vault does not take"
                yield Mistake(message, use.pattern_place, _VAULT_NAMES)
            return
        for address, name, origin in use.names:
            if not valid.fullmatch(name):
                # The name itself is not shown: it may be a value that was pasted here.
                message = f"Key Vault takes no name like that of {address}"
                yield Mistake(message, origin.at("remoteName"), f"set remoteName; {_VAULT_NAMES}")


class AlibabaKmsWrite(Stated):
    """What a secret that is made in KMS needs beside its value. An instance of KMS demands both.

    instanceId: The instance of KMS.
    encryptionKeyId: The key that encrypts the secret.
    """

    instance_id: Line | None = None
    encryption_key_id: Line | None = None


class AlibabaKms(Source):
    """Secrets Manager of Alibaba Cloud KMS.

    region: The region, such as cn-hangzhou.
    endpoint: Host of the service, where it is another than kms.REGION.aliyuncs.com.
    caFile: PEM file of the CA that the service's certificate is from, from the overlay's folder.
    parallelism: How many requests run side by side.
    create: What a secret that is made here needs.
    """

    region: RegionName
    endpoint: HostName | None = None
    ca_file: Path | None = None
    parallelism: int = 8
    create: AlibabaKmsWrite | None = None

    versioned = True
    reads_versions = True
    writable = True
    lists_names = True
    runs_program = False
    names_are_variables = False

    @property
    def host(self) -> str:
        """Return the host of the service, with its port where that is stated."""
        return (self.endpoint or f"kms.{self.region}.aliyuncs.com").lower()

    def identity(self, folder: str) -> tuple[str, ...]:
        """Return the region: Alibaba's endpoints of one region, public or of a network, lead to the same secrets."""
        return (self.region,) if self.host.endswith(".aliyuncs.com") else (self.region, self.host)

    def same_name(self, name: str) -> str:
        """Return the name itself."""
        return name

    def refused_version(self, version: str) -> str:
        """Refuse what is longer than an id may be; whoever writes a version chooses it."""
        return "" if len(version) <= _KMS_VERSION_LENGTH else "a version in KMS has up to 64 characters"

    def shown(self, base: PathBase) -> str:
        """Return its host."""
        return self.host

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return the file of the CA."""
        return [(self.ca_file, self.origin.at("caFile"))] if self.ca_file else []

    def mistakes(self, use: SourceUse) -> Iterator[Mistake]:
        """Find names that KMS does not take."""
        yield from _parallelism(self.parallelism, self.origin)
        if not ALIBABA_KMS_NAME.fullmatch(use.pattern):
            if "{" not in use.pattern and "}" not in use.pattern:  # reported already, as no placeholder's
                yield Mistake("this pattern gives names that KMS does not take", use.pattern_place, _KMS_NAMES)
            return
        for address, name, origin in use.names:
            if not ALIBABA_KMS_NAME.fullmatch(name):
                message = f"KMS takes no name like that of {address}"
                yield Mistake(message, origin.at("remoteName"), f"set remoteName; {_KMS_NAMES}")


class Vault(Source):
    """HashiCorp Vault or OpenBao, a KV engine of version 2; a name is the path of an entry below the mount.

    address: Address of the server, such as https://vault.example:8200.
    mount: Path under which the engine is mounted, such as secret.
    namespace: Namespace of the mount.
    caFile: PEM file of the CA that the server's certificate is of, from the overlay's folder.
    parallelism: How many requests run side by side.
    """

    address: VaultAddress
    mount: VaultPath
    namespace: VaultPath | None = None
    ca_file: Path | None = None
    parallelism: int = 16

    versioned = True
    reads_versions = True
    writable = True
    lists_names = True
    runs_program = False
    names_are_variables = False

    @property
    def shown_address(self) -> str:
        """Return the address as messages show it."""
        return self.address.rstrip("/")

    def identity(self, folder: str) -> tuple[str, ...]:
        """Return the server, the namespace and the mount; host names have no case."""
        return (self.shown_address.lower(), self.namespace or "", self.mount)

    def same_name(self, name: str) -> str:
        """Return the name itself."""
        return name

    def refused_version(self, version: str) -> str:
        """Refuse what is no number: Vault counts the versions of an entry from 1."""
        return "" if _VAULT_VERSION.fullmatch(version) else "a version in Vault is a number from 1 up"

    def shown(self, base: PathBase) -> str:
        """Return the server's address."""
        return self.shown_address

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return the CA's file."""
        return [(self.ca_file, self.origin.at("caFile"))] if self.ca_file else []

    def mistakes(self, use: SourceUse) -> Iterator[Mistake]:
        """Find names that are no path of an entry, or that repeat the mount, which the operator would cut off."""
        yield from _parallelism(self.parallelism, self.origin)
        if not is_entry_name(use.pattern):
            yield Mistake("this pattern gives names that no entry of Vault has", use.pattern_place, _ENTRY_NAMES)
            return
        mount = f"{self.mount}/" if self.mount else "/"
        if use.pattern.startswith(mount):
            yield Mistake(f"this pattern begins with the mount, {mount}", use.pattern_place, _BELOW_THE_MOUNT)
            return
        for address, name, origin in use.names:
            # The name itself is not shown: it may be a value that was pasted here.
            if not is_entry_name(name):
                message = f"Vault has no entry of a name like that of {address}"
                yield Mistake(message, origin.at("remoteName"), f"set remoteName; {_ENTRY_NAMES}")
            elif name.startswith(mount):
                message = f"the name of {address} begins with the mount, {mount}"
                yield Mistake(message, origin.at("remoteName"), _BELOW_THE_MOUNT)


def _parallelism(requests: int, origin: Origin) -> Iterator[Mistake]:
    """Find a number of requests side by side that no service would bear."""
    if not 1 <= requests <= 64:
        yield Mistake("parallelism must lie between 1 and 64", origin.at("parallelism"))


def is_entry_name(name: str) -> bool:
    """Whether a name is the path of an entry of Vault: segments between slashes, none of which leads elsewhere."""
    segments = name.split("/")
    return all(segment not in ("", ".", "..") and segment.isprintable() for segment in segments)


class Dotenv(Source):
    """A dotenv file that Git does not track; its values are literal, without interpolation.

    file: Path of the file, from the overlay's folder.
    """

    file: Path

    versioned = False
    writable = True
    lists_names = True
    runs_program = False
    names_are_variables = True

    def identity(self, folder: str) -> tuple[str, ...]:
        """Return where the file lies."""
        return (os.path.realpath(os.path.join(folder, self.file)),)

    def same_name(self, name: str) -> str:
        """Return the name itself."""
        return name

    def shown(self, base: PathBase) -> str:
        """Return the file's path."""
        return base.shown_path(self.file)

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return the file."""
        return [(self.file, self.origin.at("file"))] if self.file else []

    def mistakes(self, use: SourceUse) -> Iterator[Mistake]:
        """Find nothing: any text is the name of some file."""
        return iter(())


class EnvironmentVariables(Source):
    """The environment variables of the process that seals."""

    versioned = False
    writable = False
    lists_names = False  # the variables are those of whoever seals, and not of whoever asks
    runs_program = False
    names_are_variables = True

    def identity(self, folder: str) -> tuple[str, ...]:
        """Return nothing: a process has one environment."""
        return ()

    def same_name(self, name: str) -> str:
        """Return the name itself."""
        return name

    def shown(self, base: PathBase) -> str:
        """Return what it is."""
        return "the environment"

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return nothing."""
        return ()

    def mistakes(self, use: SourceUse) -> Iterator[Mistake]:
        """Find nothing: there is nothing to state."""
        return iter(())


class Command(Source):
    """A command, such as a password manager's, that prints one value.

    arguments: The program and its arguments; {name} stands for the name in the source. No shell is involved.
    timeLimit: How long one call may take.
    """

    arguments: tuple[Argument, ...]
    time_limit: Duration = "30s"

    versioned = False
    writable = False
    lists_names = False  # each call prints a value
    runs_program = True
    names_are_variables = False

    def identity(self, folder: str) -> tuple[str, ...]:
        """Return the program and its arguments."""
        return self.arguments

    def same_name(self, name: str) -> str:
        """Return the name itself."""
        return name

    def shown(self, base: PathBase) -> str:
        """Return the program."""
        return f"the command {self.arguments[0]}"

    def paths(self) -> Iterable[tuple[str, Place]]:
        """Return nothing: the program is looked up on PATH."""
        return ()

    def mistakes(self, use: SourceUse) -> Iterator[Mistake]:
        """Find a command that would be the same for every name, or be chosen by a name."""
        if not self.origin.sure_of("arguments"):
            return
        if not any("{name}" in argument for argument in self.arguments):
            hint = "{name} stands for the name in the source"
            yield Mistake("no argument holds {name}", self.origin.at("arguments"), hint)
        elif self.arguments[0].startswith("{name}"):
            yield Mistake("the program can't be {name}", self.origin.element("arguments", 0))


_KMS_NAMES = "a name in KMS has up to 192 letters, digits and _/+=.@-, and does not begin with acs/"
_BELOW_THE_MOUNT = "a name is the path below the mount, without data/"
_ENTRY_NAMES = "a name in Vault is a path such as shop/prod/backend, without a slash at its ends"
_KEY_VAULT_VERSION, _VAULT_VERSION = re.compile("[0-9a-f]{32}"), re.compile("[1-9][0-9]{0,8}")
_KMS_VERSION_LENGTH = 64
_VAULT_NAMES = "a name in Key Vault has up to 127 letters, digits and -"

# Read whenever an overlay is read, so that a type that is added later is known as well.
SOURCES: dict[str, type[Source]] = {
    "azureKeyVault": AzureKeyVault,
    "alibabaKms": AlibabaKms,
    "vault": Vault,
    "dotenv": Dotenv,
    "environment": EnvironmentVariables,
    "command": Command,
}
