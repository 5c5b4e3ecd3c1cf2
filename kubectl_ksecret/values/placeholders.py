"""What stands for a value: ciphertext, references and variables of other tools, and placeholders of people.

One table, for the gate that refuses such values and for the rules of `check` that look for them in files.
"""

import base64
import json
import re
from typing import Literal, NamedTuple

Kind = Literal["ciphertext", "reference", "variable", "placeholder"]


class StandIn(NamedTuple):
    """A form of text that stands for a value.

    `whole` is what a whole value looks like. `within` is how a text about other things holds it; empty where it could
    not be told there from what means itself.
    """

    name: str
    kind: Kind
    whole: str
    within: str = ""


# Schemes by which tools name a value in a store of secrets.
_STORES = (
    "awssm",
    "awsssm",
    "ssm",
    "gcpsm",
    "sm",
    "secretsmanager",
    "keyvault",
    "akv",
    "keeper",
    "berglas",
    "infisical",
    "bws",
    "pass",
    "vault",
    "doppler",
)

# Patterns of `re`; those of people's placeholders know no case. A dot is any character of one line.
_TABLE = (
    StandIn("ciphertext of SOPS", "ciphertext", r"ENC\[AES256_GCM,.*\]"),
    StandIn("ciphertext of hiera-eyaml", "ciphertext", r"ENC\[(PKCS7|GPG|KMS),[\s\S]*\]"),
    StandIn("ciphertext of Jasypt", "ciphertext", r"ENC\([A-Za-z0-9+/=]+\)"),
    StandIn("ciphertext of Spring Cloud", "ciphertext", r"\{cipher\}.*"),
    StandIn("ciphertext of EJSON", "ciphertext", r"EJ\[1:.*\]"),
    StandIn("ciphertext of Vault", "ciphertext", r"vault:v[0-9]+:[A-Za-z0-9+/=]+"),
    StandIn("ciphertext of Ansible Vault", "ciphertext", r"(!vault \|\s+)?\$ANSIBLE_VAULT;[\s\S]*"),
    StandIn("ciphertext of age", "ciphertext", r"age-encryption\.org/v1\n[\s\S]*"),
    StandIn("ciphertext of age", "ciphertext", r"-----BEGIN AGE ENCRYPTED FILE-----[\s\S]*"),
    StandIn("ciphertext of PGP", "ciphertext", r"-----BEGIN PGP MESSAGE-----[\s\S]*"),
    StandIn("ciphertext of git-crypt", "ciphertext", r"\x00GITCRYPT\x00[\s\S]*"),
    # argocd-vault-plugin, which also replaces it within a line.
    StandIn("<path:…>", "reference", r"<path:[^<>\n]+>"),
    StandIn("ref+…://", "reference", r"(secret)?ref\+[a-z0-9]+://\S+"),  # vals, helm-secrets
    StandIn("vault:…#…", "reference", r"(>>)?vault:[^\s#]+#\S+"),  # the webhook of Bank-Vaults
    StandIn("op://…", "reference", r"op://\S[^\n]*"),  # 1Password
    StandIn("…://", "reference", rf"({'|'.join(_STORES)})://\S+"),
    StandIn("…@azurekeyvault", "reference", r"\S+@azurekeyvault\S*"),  # akv2k8s
    StandIn("@Microsoft.KeyVault(…)", "reference", r"@Microsoft\.KeyVault\(.*\)"),
    StandIn("{{…}}", "variable", r"\{\{.*\}\}"),  # Helm, Jinja, Ansible, CloudFormation
    StandIn("{%…%}", "variable", r"\{%.*%\}"),
    StandIn("<%…%>", "variable", r"<%.*%>"),
    StandIn("${…}", "variable", r"\$?\$\{[^{}\n]*\}", r"\$\{[^{}]*\}"),
    StandIn("${{…}}", "variable", r"\$\{\{[^{}\n]*\}\}"),  # GitHub Actions
    StandIn("$(…)", "variable", r"\$\([A-Za-z_][^()\n]*\)"),
    StandIn("$NAME", "variable", r"\$[A-Z_][A-Z0-9_]*"),
    StandIn("%NAME%", "variable", r"%[A-Z_][A-Z0-9_]*%"),
    StandIn("#{…}", "variable", r"#\{[^{}\n]*\}#?"),
    StandIn("__NAME__", "variable", r"__[A-Z][A-Z0-9_]*__|@@?[A-Z][A-Z0-9_.]*@@?"),
    StandIn(
        "YOUR_…",
        "placeholder",
        r"(?i:(<?)your[-_][^\s:/@]*)",
        r"(?<![A-Za-z0-9])YOUR_\w|(?i:(?<![A-Za-z0-9_-])your[-_]\w)",
    ),
    StandIn("<…>", "placeholder", r"<[A-Za-z][^<>\n]*>", r"<(?!path:)[A-Za-z][^<>]*>"),
    StandIn("[…]", "placeholder", r"(?i:\[(your|insert|enter|replace|put|add)[-_ ][^\[\]\n]*\])"),
    StandIn(
        "changeme",
        "placeholder",
        r"(?i:(please[-_ ]?)?change[-_ ]?(me|this|it)([\W_\d].{0,40})?)",
        r"(?i:(?<![A-Za-z0-9])change[-_]?me(?![A-Za-z]))",
    ),
    StandIn(
        "replace me",
        "placeholder",
        r"(?i:(please[-_ ]?)?(replace|fill|insert)[-_ ]?(me|this|in|here)([\W_\d].{0,40})?)",
    ),
    StandIn("… here", "placeholder", r"(?i:(insert|put|enter|add|paste)[-_ ][-_ A-Za-z0-9]*here)"),
    StandIn(
        "REDACTED", "placeholder", r"(?i:[\[(*<]*redacted[\])*>]*)", r"(?i:(?<![A-Za-z0-9])redacted(?![A-Za-z0-9]))"
    ),
    StandIn("xxxx", "placeholder", r"(?i:x{3,}([-_ ]?x+)*)", r"(?i:(?<![A-Za-z0-9])x{4,}(?![A-Za-z0-9]))"),
    StandIn("****", "placeholder", r"\*{3,}|•{3,}|\.{3,}|…|_{3,}|-{3,}|\?{3,}"),
    # todo is a name that applications have; a whole value is none of them.
    StandIn(
        "TODO",
        "placeholder",
        r"(TODO|FIXME|TBD|TBA)([\W_].{0,60})?|(?i:todo|fixme|tbd|tba)",
        r"(?<![A-Za-z0-9])TODO(?![A-Za-z0-9])",
    ),
    StandIn(
        "placeholder", "placeholder", r"(?i:[-_<\[]*placeholder([-_ ]?(value|secret|password|token|key))?[-_>\]]*)"
    ),
    StandIn("null", "placeholder", r"(?i:null|undefined|<nil>|<no value>)"),  # jq -r of what is not there
    StandIn("a UUID of one digit", "placeholder", *(2 * (r"(?i:([0-9a-f])\1{7}-\1{4}-\1{4}-\1{4}-[0-9a-f]{12})",))),
)
_WHOLE = tuple((form, re.compile(form.whole)) for form in _TABLE)
_WITHIN = tuple((form.name, re.compile(form.within)) for form in _TABLE if form.within)
_SEALED = StandIn("ciphertext of Sealed Secrets", "ciphertext", "")
_SOPS_FILE = StandIn("a file that SOPS encrypted", "ciphertext", "")
_RSA_BYTES = (256, 384, 512, 1024)


def stand_in(content: bytes) -> StandIn | None:
    """Return what a whole value stands for, if it is none itself; blanks and quotes around it don't count."""
    if _is_sealed(content):
        return _SEALED
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        return None
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        text = text[1:-1].strip()
    if _is_sops_file(text):
        return _SOPS_FILE
    return next((form for form, pattern in _WHOLE if pattern.fullmatch(text)), None)


def replaced(text: str) -> bool:
    """Return whether a text is one that a deployer replaces by a value as a whole."""
    form = stand_in(text.encode(errors="replace"))
    return form is not None and form.kind in ("reference", "variable")


def placeholder_in(text: str) -> str:
    """Return the name of the placeholder that a text holds, if any; a sentence holds none unless it begins with one."""
    stripped = text.strip()
    is_sentence = any(character.isspace() for character in stripped)
    for name, pattern in _WITHIN:
        if pattern.match(stripped) if is_sentence else pattern.search(stripped):
            return name
    return ""


def _is_sealed(content: bytes) -> bool:
    """Return whether a value is what kubeseal prints: the length of an RSA part, this part, and one of AES-GCM."""
    if not content.startswith((b"Ag", b"AQ", b"AY", b"BA")):  # the first bytes of the lengths that there are, in base64
        return False
    try:
        decoded = base64.b64decode(content.strip(), validate=True)
    except ValueError:
        return False
    length = int.from_bytes(decoded[:2], "big")
    return length in _RSA_BYTES and len(decoded) >= 2 + length + 16


def _is_sops_file(text: str) -> bool:
    """Return whether a text is a whole file as SOPS writes it: JSON, YAML, dotenv or INI with its metadata."""
    if "ENC[AES256_GCM," not in text:
        return False
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return isinstance(document, dict) and "sops" in document
    return re.search(r"^(sops:|sops_mac=|\[sops\])", text, re.MULTILINE) is not None
