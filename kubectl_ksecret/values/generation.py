"""New values, from the operating system's source of randomness."""

import secrets
import string
from collections.abc import Callable, Mapping

from ..model.types.declaration import Alphabet, Generate, PrivateKey, Rules
from ..sensitive import Sensitive
from .rules import broken

_ALPHABETS: Mapping[Alphabet, str] = {
    "alphanumeric": string.ascii_letters + string.digits,
    "url-safe": string.ascii_letters + string.digits + "-_",
    "hex": string.digits + "abcdef",
    "digits": string.digits,
    # Nothing that ends or expands a quoted text where a value is pasted: a shell, YAML, a dotenv file.
    "printable": string.ascii_letters + string.digits + "!#%&()*+,-./:;<=>?@[]^_{|}~",
}
_TRIES = 1000


def generate(generation: Generate, rules: Rules | None) -> Sensitive:
    """Return a new value that satisfies its own rules. Raises ValueError with the rules that stay broken."""
    failed: list[str] = []
    # What a pattern asks for, such as a digit, many texts have; one private key is like another.
    for _ in range(1 if generation.private_key else _TRIES):
        value = _private_key(generation.private_key) if generation.private_key else _text(generation)
        failed = list(broken(rules, value))
        if not failed:
            return value
    raise ValueError(f"no generated value satisfies {', '.join(failed)}")


def _text(generation: Generate) -> Sensitive:
    if generation.length is None:
        raise AssertionError("the model lets nothing through that has neither length nor privateKey")
    alphabet = _ALPHABETS[generation.alphabet or "alphanumeric"]
    return Sensitive("".join(secrets.choice(alphabet) for _ in range(generation.length)).encode())


def _private_key(kind: PrivateKey) -> Sensitive:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    makers: Mapping[PrivateKey, Callable[[], PrivateKeyTypes]] = {
        "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
        "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
        "rsa-4096": lambda: rsa.generate_private_key(65537, 4096),
        "ec-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ec-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }
    return Sensitive(makers[kind]().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
