"""Age keys for SOPS: the user's identities, and a data key wrapped for a recipient."""

import os
import re
import shlex
import subprocess
import sys
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator, Mapping

import pyrage

from ..errors import InputError, Mistake, Refusal
from ..sensitive import Sensitive

COMMAND_SECONDS = 60.0
_POST_QUANTUM_RECIPIENT = "age1pq1"
_POST_QUANTUM_IDENTITY = "AGE-SECRET-KEY-PQ-1"
_POST_QUANTUM_STANZA = b"-> mlkem768x25519 "


def identities(environment: Mapping[str, str]) -> tuple[Sensitive, ...]:
    """Return the user's age identities, from everywhere sops 3.13 reads them (age/keysource.go); there may be none.

    Left out are plugins, SSH keys and a key file with a passphrase.
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
    if re.fullmatch(_POST_QUANTUM_IDENTITY + "[02-9AC-HJ-NP-Z]{58}", word):
        return True
    try:
        pyrage.x25519.Identity.from_str(word)
    except pyrage.IdentityError:
        return False
    return True


def wrap(data_key: Sensitive, recipient: str) -> str:
    """Return a data key encrypted for one recipient, armored, as it stands in `enc`.

    Raises InputError if that is no recipient, Refusal if it is a post-quantum one and the age program can't be had.
    """
    if recipient.startswith(_POST_QUANTUM_RECIPIENT):
        return _age("--encrypt", "--armor", "--recipient", recipient, content=data_key.reveal()).decode()
    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        # Not quoted: somebody may have put the identity there.
        hint = "it begins with age1; age-keygen -y prints that of an identity"
        raise InputError(Mistake("not an age recipient", None, hint)) from None
    return str(pyrage.encrypt(data_key.reveal(), [to], armored=True), "ascii")


def unwrap(enc: str, identities: Iterable[Sensitive]) -> Sensitive | None:
    """Return the data key; nothing if none of the identities opens it."""
    everything = [identity.reveal().decode() for identity in identities]
    keys = [text for text in everything if not text.startswith(_POST_QUANTUM_IDENTITY)]
    try:
        return Sensitive(pyrage.decrypt(enc.encode(errors="replace"), list(map(pyrage.x25519.Identity.from_str, keys))))
    except pyrage.DecryptError:
        pass
    post_quantum = [text for text in everything if text.startswith(_POST_QUANTUM_IDENTITY)]
    return _opened_by_age(enc, post_quantum) if post_quantum and _POST_QUANTUM_STANZA in _decoded(enc) else None


def _decoded(enc: str) -> bytes:
    """Return an armored age file as bytes; its header, in which the kinds of its recipients stand, is plain text."""
    lines = [line for line in enc.splitlines() if not line.startswith("-----")]
    try:
        return b64decode("".join(lines))
    except ValueError:
        return b""


def _opened_by_age(enc: str, identities: Iterable[str]) -> Sensitive | None:
    """Return a data key that the age program opens; identities are handed over by a pipe, and lie in no file."""
    reader, writer = os.pipe()
    os.write(writer, "".join(f"{identity}\n" for identity in identities).encode())  # far less than a pipe holds
    os.close(writer)
    try:
        identity = ("--identity", f"/dev/fd/{reader}")
        return Sensitive(_age("--decrypt", *identity, content=enc.encode(errors="replace"), passed=(reader,)))
    except Refusal:
        return None
    finally:
        os.close(reader)


def _age(*arguments: str, content: bytes, passed: Collection[int] = ()) -> bytes:
    """Return what the age program prints; pyrage knows no post-quantum keys. Raises Refusal if it can't be run."""
    hint = "install age 1.3 or newer"
    try:
        done = subprocess.run(
            ["age", *arguments],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=passed,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        message = "a post-quantum recipient takes the age program, which can't be run"
        raise Refusal(Mistake(message, hint=hint)) from None
    if done.returncode:
        raise Refusal(Mistake("the age program can't encrypt for a post-quantum recipient", hint=hint))
    return done.stdout
