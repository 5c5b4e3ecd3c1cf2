"""Where plaintext lives, as an overlay names it: one type for each kind of source."""

from collections.abc import Mapping

from .names import Argument, Duration, HttpsUrl, Line, Path, Period
from .origin import Stated


class Source(Stated):
    """A place where plaintext lives."""

    @property
    def field(self) -> str:
        """Return the name under which SourceSpec holds a source of this type, such as `azureKeyVault`."""
        return next(name for name, type_ in SOURCES.items() if type_ is type(self))


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


class Dotenv(Source):
    """A dotenv file that Git does not track; its values are literal, without interpolation.

    file: Path of the file, from the overlay's folder.
    """

    file: Path


class EnvironmentVariables(Source):
    """The environment variables of the process that seals."""


class Command(Source):
    """A command, such as a password manager's, that prints one value.

    arguments: The program and its arguments; {name} stands for the name in the source. No shell is involved.
    timeLimit: How long one call may take.
    """

    arguments: tuple[Argument, ...]
    time_limit: Duration = "30s"


# Read whenever an overlay is read, so that a type that is added later is known as well.
SOURCES: dict[str, type[Source]] = {
    "azureKeyVault": AzureKeyVault,
    "dotenv": Dotenv,
    "environment": EnvironmentVariables,
    "command": Command,
}
