"""Age keys for SOPS: the user's identities, and a data key wrapped for a recipient."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping

import pyrage

from ..errors import InputError, Mistake, Refusal
from ..sensitive import Sensitive

COMMAND_SECONDS = 60.0


def identities(environment: Mapping[str, str]) -> tuple[Sensitive, ...]:
    """The user's age identities, from everywhere sops 3.13 reads them (age/keysource.go); there may be none.

    Those that pyrage can't read are left out: plugins, SSH keys, a key file with a passphrase.
    Raises InputError for a key file that can't be read, Refusal for a command that fails.
    """
    lines = (line for text in _texts(environment) for line in text.decode(errors="replace").splitlines())
    words = (word for line in lines if not line.lstrip().startswith("#") for word in line.split())
    return tuple(Sensitive(word.encode()) for word in words if _is_identity(word))


def _texts(environment: Mapping[str, str]) -> Iterator[bytes]:
    yield environment.get("SOPS_AGE_KEY", "").encode(errors="surrogateescape")
    if named := environment.get("SOPS_AGE_KEY_FILE"):
        yield _read(named, "SOPS_AGE_KEY_FILE names it")
    if command := environment.get("SOPS_AGE_KEY_CMD"):
        yield _printed(command, environment)
    usual = os.path.join(_configuration_folder(environment), "sops", "age", "keys.txt")
    # A relative path would be looked up in the repository.
    if os.path.isabs(usual) and os.path.exists(usual):
        yield _read(usual)


def _configuration_folder(environment: Mapping[str, str]) -> str:
    below_home = "Library/Application Support" if sys.platform == "darwin" else ".config"
    return environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME", ""), below_home)


def _read(path: str, hint: str = "") -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InputError(Mistake(f"{path}: {error.strerror}", None, hint)) from None


def _printed(command: str, environment: Mapping[str, str]) -> bytes:
    """What the command prints; it is the user's own, so its complaints go to standard error as they are."""
    try:
        arguments = shlex.split(command)
    except ValueError:
        raise InputError(Mistake("SOPS_AGE_KEY_CMD has a quote that does not end")) from None
    try:
        done = subprocess.run(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refusal(Mistake(f"the command in SOPS_AGE_KEY_CMD did not end in {COMMAND_SECONDS:g} s")) from None
    except (OSError, IndexError, ValueError):
        raise Refusal(Mistake("the command in SOPS_AGE_KEY_CMD can't be started")) from None
    if done.returncode:
        raise Refusal(Mistake(f"the command in SOPS_AGE_KEY_CMD failed with {done.returncode}"))
    return done.stdout


def _is_identity(word: str) -> bool:
    try:
        pyrage.x25519.Identity.from_str(word)
    except pyrage.IdentityError:
        return False
    return True


def wrap(data_key: Sensitive, recipient: str) -> str:
    """A data key encrypted for one recipient, armored, as it stands in `enc`.

    Raises InputError if that is no X25519 recipient.
    """
    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        # Not quoted: somebody may have put the identity there.
        hint = "it begins with age1; age-keygen -y prints that of an identity"
        raise InputError(Mistake("not an age recipient", None, hint)) from None
    return str(pyrage.encrypt(data_key.reveal(), [to], armored=True), "ascii")


def unwrap(enc: str, identities: Iterable[Sensitive]) -> Sensitive | None:
    """The data key; nothing if none of the identities opens it."""
    keys = [pyrage.x25519.Identity.from_str(identity.reveal().decode()) for identity in identities]
    try:
        return Sensitive(pyrage.decrypt(enc.encode(errors="replace"), keys))
    except pyrage.DecryptError:
        return None
