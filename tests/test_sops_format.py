"""SOPS documents: what we write sops reads, what sops writes we read, and what was changed is refused."""

import base64
import json
import os
import random
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyrage
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_ksecret import yamlio
from kubectl_ksecret.backends.sops import document as outside
from kubectl_ksecret.errors import InputError, Refusal
from kubectl_ksecret.model.kubernetes import Object
from kubectl_ksecret.sealing import age
from kubectl_ksecret.sealing.sops import document as sops
from kubectl_ksecret.sealing.sops import goyaml
from kubectl_ksecret.sensitive import Sensitive

from .peers import peer

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
CANARY = "canary-Zx7q"


class Pair(NamedTuple):
    """An age key made for this run."""

    recipient: str
    identity: str

    @property
    def identities(self) -> tuple[Sensitive, ...]:
        return (Sensitive(self.identity.encode()),)


def new_pair() -> Pair:
    identity = pyrage.x25519.Identity.generate()
    return Pair(str(identity.to_public()), str(identity))


ALICE, BOB = new_pair(), new_pair()


class Sops:
    """The real sops, with an age key file of its own and no other configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.program = folder, peer("sops")
        key_file = folder / "keys.txt"
        key_file.write_text(f"{ALICE.identity}\n")
        self.environment = {"HOME": str(folder), "SOPS_AGE_KEY_FILE": str(key_file), "PATH": os.environ["PATH"]}

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            (self.program, *arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def encrypt(self, text: str, *options: str) -> str:
        (self.folder / "plain.yaml").write_text(text)
        # Not the command `encrypt`, which does not take all options.
        return self.run("--encrypt", "--age", ALICE.recipient, *options, "plain.yaml")

    def decrypt(self, text: str) -> Any:
        (self.folder / "file.yaml").write_text(text)
        return json.loads(self.run("decrypt", "--output-type", "json", "file.yaml"))

    def values(self, document: Object) -> dict[str, bytes]:
        """What an object of ours holds, by key."""
        data = self.decrypt(yamlio.dump([document]))["data"]
        return {key: base64.b64decode(text) for key, text in data.items()}


@pytest.fixture
def real(tmp_path: Path) -> Sops:
    return Sops(tmp_path)


def shell(**metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "backend", **metadata}, "type": "Opaque"}


def sensitive(**values: str) -> dict[str, Sensitive]:
    return {key: Sensitive(value.encode()) for key, value in values.items()}


def revealed(values: Mapping[str, Sensitive]) -> dict[str, bytes]:
    return {key: value.reveal() for key, value in values.items()}


def opened(document: Object | str, *pairs: Pair) -> sops.OpenedDocument:
    text = document if isinstance(document, str) else yamlio.dump([document])
    return sops.open_document(
        text, "file.yaml", [identity for pair in pairs or (ALICE,) for identity in pair.identities]
    )


def plain(document: sops.OpenedDocument) -> Any:
    return json.loads(document.plaintext.reveal())


def encrypted(**values: str) -> Object:
    return sops.encrypt(shell(), sensitive(**values), [ALICE.recipient], NOW)


# What we write


def awkward_values() -> dict[str, bytes]:
    """Values of every kind, under keys that some YAML reader takes for a number, a boolean or nothing."""
    chance = random.Random(20260102)
    values = {
        "empty": b"",
        "large": chance.randbytes(64 * 1024),
        "large-text": "ä\n".encode() * 20_000,
        "all-bytes": bytes(range(256)),
        "pem": b"-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n",
        "dollar": b"$HOME ${x} {{ y }} #!\\'\"",
        "unicode": "pässwörd 密码 🔑".encode(),
        "looks-encrypted": b"ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]",
        "spaces": b"  \t\n ",
    }
    names = "yes No on y null true 10 9 1a 012 1e3 0o17 0x1F 1_000 .5 .inf 2001-12-14 -1 _u A.b a-b a_b Key key2 key10"
    values |= {name: name.encode() for name in names.split()}
    values |= {f"byte-{n}": bytes([n * 8]) for n in range(32)}
    return values | {f"random-{n}": chance.randbytes(chance.randrange(300)) for n in range(200)}


def test_what_we_encrypt_sops_decrypts_byte_for_byte(real: Sops) -> None:
    """Empty, single bytes, 64 kB, binary, lines, other scripts; all under keys that are hard on YAML readers."""
    values = awkward_values()
    document = sops.encrypt(shell(), {key: Sensitive(value) for key, value in values.items()}, [ALICE.recipient], NOW)
    assert len(values) > 200
    assert real.values(document) == values
    assert revealed(opened(document).values()) == values


def test_our_sops_block_has_the_form_of_the_real_one(real: Sops) -> None:
    """The same fields with the same constants; nothing else beside the Secret's own."""
    ours = encrypted(token="x")
    options = ("--encrypted-regex", "^(data|stringData)$", "--mac-only-encrypted")
    theirs = yamlio.load(real.encrypt("data: {token: eA==}", *options), "theirs")[0]
    assert ours.keys() == {"apiVersion", "kind", "metadata", "type", "data", "sops"}
    assert ours["sops"].keys() == theirs["sops"].keys()
    assert ours["sops"]["age"][0].keys() == theirs["sops"]["age"][0].keys()
    assert ours["sops"]["age"][0]["enc"].splitlines()[0] == theirs["sops"]["age"][0]["enc"].splitlines()[0]
    assert ours["sops"]["age"][0]["enc"].endswith("-----END AGE ENCRYPTED FILE-----\n")
    assert ours["sops"]["lastmodified"] == "2026-01-02T03:04:05Z"
    for field in ("encrypted_regex", "mac_only_encrypted", "version"):
        assert ours["sops"][field] == theirs["sops"][field]


def test_each_recipient_opens_what_is_encrypted_for_several() -> None:
    """A recipient that is named twice gets one entry."""
    document = sops.encrypt(shell(), sensitive(a="x"), [ALICE.recipient, BOB.recipient, ALICE.recipient], NOW)
    assert outside.recipients(document) == (ALICE.recipient, BOB.recipient)
    for pair in (ALICE, BOB):
        assert revealed(opened(document, pair).values()) == {"a": b"x"}


def test_two_encryptions_share_no_key_and_no_initialization_vector() -> None:
    """Neither do two equal values of one Secret."""
    document, again = encrypted(a="same", b="same"), encrypted(a="same", b="same")
    texts = [*document["data"].values(), *again["data"].values()]
    assert len({text.partition("iv:")[2] for text in texts}) == 4
    assert opened(document).data_key.key.reveal() != opened(again).data_key.key.reveal()


@pytest.mark.parametrize("field", ["data", "stringData"])
@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_a_label_that_sops_would_encrypt_is_refused(where: str, field: str) -> None:
    """SOPS looks for the selection rule in every key on the way to a value."""
    with pytest.raises(InputError, match=f"called {field}"):
        sops.encrypt(shell(**{where: {field: "x"}}), {}, [ALICE.recipient], NOW)


def test_no_recipient_and_a_wrong_one_are_refused() -> None:
    """An identity in a recipient's place is not quoted."""
    with pytest.raises(InputError, match="no age recipient"):
        sops.encrypt(shell(), {}, [], NOW)
    with pytest.raises(InputError, match="not an age recipient") as error:
        sops.encrypt(shell(), {}, [ALICE.identity], NOW)
    assert ALICE.identity not in shown(error.value)


def test_kustomize_may_change_the_metadata(real: Sops) -> None:
    """The MAC covers the values alone, and a build prints these keys in the order of our file."""
    values = {"Key": b"1", "a-b": b"2", "a.b": b"3", "key2": b"4", "key9": b"5", "1e3": b"6"}
    document = sops.encrypt(shell(), {key: Sensitive(value) for key, value in values.items()}, [ALICE.recipient], NOW)
    (real.folder / "secret.yaml").write_text(yamlio.dump([document]))
    (real.folder / "kustomization.yaml").write_text("resources: [secret.yaml]\nnamespace: prod\nnamePrefix: a-\n")
    built = subprocess.run((peer("kustomize"), "build", str(real.folder)), capture_output=True, text=True, check=True)
    assert "name: a-backend" in built.stdout
    assert real.values(yamlio.load(built.stdout, "built")[0]) == values


# What sops writes

EVERY_TYPE = """\
# a comment
apiVersion: v1
kind: Secret
metadata:
    name: backend # beside a value
    labels: {weight: 5, ratio: 1.50, on: "yes", note_unencrypted: open}
stringData:
    # below a key
    text: hi
    integer: -42
    octal: 0o17
    float: 1.5
    large: 1e+22
    small: 1.0e-7
    yes: true
    off: false
    nothing: null
    empty: ""
    time: 2001-12-14
    looks: "012"
    lines: |
        one
        two
    binary: !!binary aGk=
    list: [1, two, {deep: [3.25, null, false]}]
    emptyList: []
    emptyMap: {}
    key.with:colon: x
"""
EVERY_TYPE_READ = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "backend",
        "labels": {"weight": 5, "ratio": 1.5, "on": "yes", "note_unencrypted": "open"},
    },
    "stringData": {
        "text": "hi",
        "integer": -42,
        "octal": 15,
        "float": 1.5,
        "large": 1e22,
        "small": 1e-7,
        "yes": True,
        "off": False,
        "nothing": None,
        "empty": "",
        "time": "2001-12-14T00:00:00Z",
        "looks": "012",
        "lines": "one\ntwo\n",
        "binary": "hi",
        "list": [1, "two", {"deep": [3.25, None, False]}],
        "emptyList": [],
        "emptyMap": {},
        "key.with:colon": "x",
    },
}
RULES: dict[str, tuple[str, ...]] = {
    "whole file": (),
    "encrypted_regex": ("--encrypted-regex", "^(data|stringData)$"),
    "encrypted_regex inside": ("--encrypted-regex", "e.*t"),
    "unencrypted_regex": ("--unencrypted-regex", "^(apiVersion|kind|metadata|list|float)$"),
    "encrypted_suffix": ("--encrypted-suffix", "Data"),
    "unencrypted_suffix": ("--unencrypted-suffix", "e"),
}


@pytest.mark.parametrize("mac", [(), ("--mac-only-encrypted",)], ids=["mac over all", "mac over encrypted"])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_what_sops_encrypts_we_read_with_every_type(real: Sops, rule: tuple[str, ...], mac: tuple[str, ...]) -> None:
    """Order and types are kept; sops itself reads the same."""
    text = real.encrypt(EVERY_TYPE, *rule, *mac)
    document = opened(text)
    # As text, so that 1, 1.0 and True differ, and the order counts.
    assert document.plaintext.reveal().decode() == json.dumps(EVERY_TYPE_READ)
    assert plain(document) == real.decrypt(text)
    assert outside.mac_covers_plain_fields(document.object) is (not mac)


LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
# In a list, sops itself can't read again what it writes for lines that begin with white space.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20).filter(lambda text: not text[:1].isspace())
KEYS = st.text(st.characters(codec="utf-8", max_codepoint=0x17F, exclude_categories=["Cc"]), max_size=8)
TREES = st.recursive(
    LEAVES | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("options", [(), ("--mac-only-encrypted", "--encrypted-regex", "[aeiou]")], ids=["all", "some"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(KEYS.filter(lambda key: key != "sops"), TREES, min_size=1, max_size=4))
def test_any_document_that_sops_encrypts_is_read_as_it_was(
    real: Sops, options: tuple[str, ...], tree: dict[str, Any]
) -> None:
    """Numbers are compared by value: a whole float that is not encrypted comes back as an integer, from sops too."""
    # JSON is YAML, but for the surrogates in its escapes.
    text = re.sub(r"[^\n -~]", lambda match: f"\\U{ord(match[0]):08x}", json.dumps(tree, ensure_ascii=False))
    assert plain(opened(real.encrypt(text, *options))) == tree


def test_without_a_selection_rule_keys_that_end_in_unencrypted_are_plain(real: Sops) -> None:
    """The first releases of SOPS wrote no rule; this one is the default."""
    text = real.encrypt("a: b\nc_unencrypted: d\n").replace("unencrypted_suffix: _unencrypted", "")
    assert plain(opened(text)) == real.decrypt(text) == {"a": "b", "c_unencrypted": "d"}


def test_numbers_that_are_encrypted_keep_their_type(real: Sops) -> None:
    """A whole float is a float again, and numbers that JSON does not have are read."""
    values = plain(opened(real.encrypt("a: 3.0\nb: 3\nc: .inf\nd: -.inf\ne: .nan\nf: -0.0\n")))
    assert repr(values) == "{'a': 3.0, 'b': 3, 'c': inf, 'd': -inf, 'e': nan, 'f': -0.0}"


def test_bytes_that_are_not_utf_8_are_not_lost(real: Sops) -> None:
    """YAML has them as !!binary, and SOPS takes them for text."""
    document = opened(real.encrypt("stringData: {k: !!binary /wA=}\n"))
    assert revealed(document.values()) == {"k": b"\xff\x00"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("-0", 0), ("+7", 7), ("012", 10), ("-012", -10), ("08", 8.0), ("0x1F", 31), ("-0b11", -3),
        ("0o17", 15), ("1_000", 1000), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("1_0.5", 10.5), ("_5", "_5"),
        (".5_0", ".5_0"), ("-", "-"), (".", "."), ("1e999", "1e999"), ("18446744073709551616", 18446744073709551616.0),
        ("9" * 5000, "9" * 5000), ("0x", "0x"), ("0b2", "0b2"), ("yes", "yes"), ("TRUE", True), ("~", None),
        ("", None), ("-.INF", -float("inf")), ("2001-12-14", "2001-12-14"), ("12:30:45", "12:30:45"), ("<<", "<<"),
    ],
)  # fmt: skip
def test_plain_scalars_are_read_as_go_reads_them(text: str, value: object) -> None:
    """Values out of go-yaml's resolve.go, where YAML 1.1 and 1.2 and Go's own numbers meet."""
    resolved = goyaml.resolve(text)
    assert (type(resolved), resolved) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\nsops: {}", '"a" stands here twice'),
        ("a: &x [1]\nb: *x\nsops: {}", "alias"),
        ("1: a\nsops: {}", "a key that is not text"),
        ("a: !!binary '*'\nsops: {}", "not base64"),
        ("!!binary /w==: a\nsops: {}", "a key that is not text"),
        ("a: 1\n---\nb: 2\n", "one YAML mapping"),
        ("- a\n", "one YAML mapping"),
        ("", "one YAML mapping"),
        ("a: 1\n", "no sops block"),
        ("a: 1\nsops: 5\n", "no sops block"),
        ("a: [\n", "not valid YAML"),
    ],
)
def test_what_is_no_sops_document_is_refused_with_its_place(text: str, message: str) -> None:
    """As a user's mistake, which ends with 2."""
    with pytest.raises(InputError, match=message) as error:
        opened(text)
    assert not isinstance(error.value, Refusal)
    assert error.value.mistakes[0].place is not None


def test_a_secret_of_another_form_gives_the_bytes_that_the_api_server_would_store(real: Sops) -> None:
    """A key that stands in both has the value of stringData, as there."""
    text = "kind: Secret\ndata: {a: eA==, b: eQ==}\nstringData: {b: ü, c: ''}"
    assert revealed(opened(real.encrypt(text)).values()) == {"a": b"x", "b": "ü".encode(), "c": b""}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: {a: 'not base64 at all'}", "data.a is not base64"),
        ("stringData: {port: 5432}", "stringData.port is not text"),
        ("data: [x]", "data is not a mapping"),
    ],
)
def test_a_document_that_is_no_secret_has_no_values(real: Sops, text: str, message: str) -> None:
    """It can be opened all the same."""
    document = opened(real.encrypt(text))
    with pytest.raises(InputError, match=message):
        document.values()


# What was changed


def flipped(text: str, part: str) -> Iterator[str]:
    """The text with one decoded byte of a part of its ENC[…] changed, for each byte."""
    encoded = text.partition(f"{part}:")[2].partition(",")[0]
    content = base64.b64decode(encoded)
    for index in range(len(content)):
        changed = bytes([*content[:index], content[index] ^ 1, *content[index + 1 :]])
        yield text.replace(f"{part}:{encoded}", f"{part}:{base64.b64encode(changed).decode()}")


@pytest.mark.parametrize("part", ["data", "iv", "tag"])
def test_one_changed_byte_of_a_value_is_refused(part: str) -> None:
    """Every byte of its ciphertext, its IV and its tag."""
    document = encrypted(first="value", second="other")
    for text in flipped(document["data"]["second"], part):
        with pytest.raises(Refusal, match=r"data\.second was changed after it was encrypted") as error:
            opened({**document, "data": {**document["data"], "second": text}})
        assert str(error.value.mistakes[0].place) == "file.yaml:4:11"


@pytest.mark.parametrize("part", ["data", "iv", "tag"])
def test_one_changed_byte_of_the_mac_is_refused(part: str) -> None:
    """Every byte of its ciphertext, its IV and its tag."""
    document = encrypted(token="value")
    for text in flipped(document["sops"]["mac"], part):
        with pytest.raises(Refusal, match="MAC was changed"):
            opened({**document, "sops": {**document["sops"], "mac": text}})


Change = Callable[[Object], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: it["data"].pop("first"), "MAC does not fit"),
        (lambda it: it["data"].update(first=""), "MAC does not fit"),
        (lambda it: it["data"].update(first="dmFsdWU="), "data.first is not encrypted"),
        (lambda it: it["data"].update(first=5), "data.first is not encrypted"),
        (lambda it: it["data"].update(third="dmFsdWU="), "data.third is not encrypted"),
        (lambda it: it["data"].update(first=it["data"]["second"]), "data.first was changed"),
        (lambda it: it["data"].update(first=it["data"]["first"][:-3]), "data.first was changed"),
        (lambda it: it["data"].update(first=it["data"]["first"].replace("str", "sts")), "data.first was changed"),
        (lambda it: it["data"].update(first=it["data"]["first"].replace("iv:", "iv:AAAA")), "data.first was changed"),
        (lambda it: it.update(stringData={"first": it["data"].pop("first")}), "stringData.first was changed"),
        (lambda it: it["sops"].update(mac_only_encrypted=False), "MAC does not fit"),
        (lambda it: it["sops"].update(encrypted_regex="^none$"), "MAC does not fit"),
        (lambda it: it["sops"].update(lastmodified="2026-01-02T03:04:06Z"), "MAC was changed"),
        (lambda it: it["sops"].pop("mac"), "MAC does not fit"),
        (lambda it: it["sops"].update(mac=it["data"]["first"]), "MAC was changed"),
        (lambda it: it["sops"]["age"][0].update(enc="nothing"), "no age identity"),
        (lambda it: it["sops"].update(age=[]), "no age identity"),
        (lambda it: it["sops"].update(age="x"), "no age identity"),
    ],
)
def test_what_was_changed_is_refused(change: Change, message: str) -> None:
    """Values taken out, emptied, put in plain text, moved; the block's fields that the MAC is bound to."""
    document = encrypted(first="value", second="other")
    change(document)
    with pytest.raises(Refusal, match=message):
        opened(document)


def test_values_in_another_order_are_refused(real: Sops) -> None:
    """The MAC depends on the order, for us as for sops."""
    text = yamlio.dump([encrypted(first="value", second="other")])
    line, other = (line for line in text.splitlines() if "ENC[" in line and "mac" not in line)
    with pytest.raises(Refusal, match="MAC does not fit"):
        opened(text.replace(line, "#").replace(other, f"{other}\n{line}"))


def test_a_mac_over_all_covers_plain_fields_too(real: Sops) -> None:
    """With mac_only_encrypted the same change is let through, which is why kustomize may make it."""
    rule = ("--encrypted-regex", "^(data|stringData)$")
    over_all, over_encrypted = real.encrypt(EVERY_TYPE, *rule), real.encrypt(EVERY_TYPE, *rule, "--mac-only-encrypted")
    assert plain(opened(over_encrypted.replace("weight: 5", "weight: 6")))["metadata"]["labels"]["weight"] == 6
    with pytest.raises(Refusal, match="MAC does not fit"):
        opened(over_all.replace("weight: 5", "weight: 6"))


def test_an_identity_that_is_no_recipient_does_not_open_it() -> None:
    """Nor does none."""
    document = encrypted(token="value")
    for identities in (BOB.identities, ()):
        with pytest.raises(Refusal, match="no age identity at hand opens it"):
            sops.open_document(yamlio.dump([document]), "file.yaml", identities)


@pytest.mark.parametrize("name", ["pgp", "kms", "gcp_kms", "hckms", "azure_kv", "hc_vault"])
def test_other_key_types_alone_are_refused(name: str) -> None:
    """By the name of the type; beside age, in the block or in its group, the file is opened by age, as sops does."""
    document = encrypted(token="value")
    block = document["sops"]
    other = {name: [{"enc": "x"}]}
    rest = {field: value for field, value in block.items() if field != "age"}
    for changed in ({**rest, **other}, {**rest, "key_groups": [other]}):
        with pytest.raises(InputError, match=f"encrypted with {name}") as error:
            opened({**document, "sops": changed})
        assert "age" in error.value.mistakes[0].hint
    for changed in ({**block, **other}, {**rest, "key_groups": [{"age": block["age"], **other}]}, {**block, name: []}):
        assert opened({**document, "sops": changed}).values().keys() == {"token"}


def test_one_key_group_is_read_and_several_are_refused(real: Sops) -> None:
    """Among several the data key is shared by Shamir's scheme."""
    document = encrypted(token="value")
    block = {name: value for name, value in document["sops"].items() if name != "age"}
    grouped = {**document, "sops": {**block, "key_groups": [{"age": document["sops"]["age"], "hc_vault": []}]}}
    assert real.values(grouped) == revealed(opened(grouped).values()) == {"token": b"value"}
    beside = {**document["sops"], "key_groups": [{"age": [{"recipient": BOB.recipient, "enc": "none"}]}]}
    assert real.values({**document, "sops": beside}) == revealed(opened({**document, "sops": beside}).values())
    rules = {"creation_rules": [{"key_groups": [{"age": [pair.recipient]} for pair in (ALICE, BOB)]}]}
    (real.folder / ".sops.yaml").write_text(json.dumps(rules))
    (real.folder / "plain.yaml").write_text("a: b\n")
    with pytest.raises(InputError, match="several key groups"):
        opened(real.run("encrypt", "plain.yaml"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"encrypted_regex": "("}, "encrypted_regex in the sops block is not a regular expression"),
        ({"unencrypted_suffix": "_x"}, "more than one selection rule"),
    ],
)
def test_a_selection_rule_that_sops_refuses_is_refused(fields: Object, message: str) -> None:
    """A regular expression is Go's, so no pattern in a repository can hang a build."""
    document = encrypted(token="value")
    with pytest.raises(InputError, match=message):
        opened({**document, "sops": {**document["sops"], **fields}})


WEIRD: list[object] = [
    None,
    True,
    5,
    1.5,
    "x",
    "ENC[",
    b"\xff",
    [],
    [5],
    [{}],
    [[{}], {}],
    {},
    {"age": 5},
    [{"age": [{"enc": 5}]}],
]


@pytest.mark.parametrize(
    "name",
    ["age", "key_groups", "pgp", "mac", "lastmodified", "mac_only_encrypted", "encrypted_regex", "encrypted_suffix"],
)
def test_nothing_in_the_sops_block_ends_in_another_error(name: str) -> None:
    """Whatever a stranger wrote there is read, or refused as what it is; so without a key."""
    document = encrypted(token="value")
    entry = [{"recipient": ALICE.recipient, "enc": b"\xff"}]
    for weird in [*WEIRD, entry]:
        changed = {**document, "sops": {**document["sops"], name: weird}, "metadata": weird}
        assert all(isinstance(sentence, str) for sentence in (flaw.message for flaw in outside.flaws(changed)))
        assert outside.mac_survives_rewriting(changed) in {True, False}
        try:
            opened(changed).values()
        except InputError as error:
            assert "x" not in str(error).split()


def shown(error: BaseException) -> str:
    """All that Python may print of an error."""
    return "\n".join([repr(error), str(error), *traceback.format_exception(error)])


def test_no_error_and_no_repr_shows_a_value(real: Sops) -> None:
    """Neither plain, nor in base64, nor the data key, nor the identity."""
    text = real.encrypt(json.dumps({"data": {"k": CANARY}, "stringData": {"k": [CANARY]}, "l": CANARY}))
    document = opened(text)
    changes: list[Callable[[], object]] = [
        document.values,
        lambda: opened(text.replace("l: ENC", f"l: {CANARY} ENC")),
        lambda: opened(text.replace("type:str", "type:int")),
        lambda: opened(text.replace("type:str", "type:bool")),
        lambda: opened(text.replace("type:str", "type:float")),
        lambda: opened(text.replace("mac: ENC", "mac: X")),
        lambda: opened(text.replace("sops:", "sops: {}\nother:")),
        lambda: opened(text + f"\n{CANARY}: [\n"),
        lambda: opened(text, BOB),
    ]
    secrets = [CANARY, base64.b64encode(CANARY.encode()).decode(), ALICE.identity]
    secrets += [repr(document.data_key.key.reveal()), document.data_key.key.reveal().hex()]
    for change in changes:
        with pytest.raises(InputError) as error:
            change()
        assert not any(secret in shown(error.value).replace(f"\n{CANARY}: [", "") for secret in secrets)
    assert not any(secret in repr(document) + str(vars(document.data_key)) for secret in secrets)


# Change in place


def update(
    document: Object | str,
    values: Mapping[str, Sensitive],
    *,
    untouched: str,
    recipients: Sequence[str] = (ALICE.recipient,),
) -> Object:
    return sops.update(opened(document), shell(), values, staying=untouched.split(), recipients=recipients, now=LATER)


def test_an_update_leaves_untouched_values_as_they_are(real: Sops) -> None:
    """The changed one is new, one that is neither new nor kept is gone, the data key and its recipient are the same."""
    before = encrypted(a="1", b="2", c="3", d="4")
    after = update(before, sensitive(b="new", c="3", e=""), untouched="a b")
    assert {key: after["data"][key] for key in "ac"} == {key: before["data"][key] for key in "ac"}
    assert after["data"]["b"] != before["data"]["b"]
    assert after["sops"]["age"] == before["sops"]["age"]
    assert after["sops"]["lastmodified"] == "2026-02-03T04:05:06Z"
    assert after["sops"]["mac"] != before["sops"]["mac"]
    assert real.values(after) == {"a": b"1", "b": b"new", "c": b"3", "e": b""}


def test_an_update_that_changes_no_value_leaves_the_sops_block_as_it_is(real: Sops) -> None:
    """Other metadata and values that are the same are no change; neither is another order of the recipients."""
    before = sops.encrypt(shell(), sensitive(a="1", b="2"), [ALICE.recipient, BOB.recipient], NOW)
    recipients, labels = [BOB.recipient, ALICE.recipient], shell(labels={"team": "backend"})
    after = sops.update(opened(before), labels, sensitive(a="1"), staying=["b"], recipients=recipients, now=LATER)
    assert after == {**before, **labels}
    assert real.values(after) == {"a": b"1", "b": b"2"}


def test_an_added_recipient_gets_the_data_key_and_nothing_else_changes(real: Sops) -> None:
    """As with sops updatekeys."""
    before = encrypted(a="1")
    after = update(before, {}, untouched="a", recipients=[BOB.recipient, ALICE.recipient])
    first, added = after["sops"]["age"]
    assert added["recipient"] == BOB.recipient
    assert {**after["sops"], "age": [first]} == before["sops"]
    assert after["data"] == before["data"]
    assert revealed(opened(after, BOB).values()) == real.values(after) == {"a": b"1"}


def test_without_a_recipient_that_left_everything_is_encrypted_anew(real: Sops) -> None:
    """Who left knows the data key, so there is a new one."""
    before = sops.encrypt(shell(), sensitive(a="1", b="2"), [ALICE.recipient, BOB.recipient], NOW)
    after = update(before, sensitive(b="3"), untouched="a")
    assert outside.recipients(after) == (ALICE.recipient,)
    assert opened(after).data_key.key.reveal() != opened(before).data_key.key.reveal()
    assert after["data"]["a"] != before["data"]["a"]
    assert real.values(after) == {"a": b"1", "b": b"3"}
    with pytest.raises(Refusal):
        opened(after, BOB)


def test_after_sops_set_we_read_and_update_and_sops_reads_that(real: Sops) -> None:
    """A new key stands at the end, out of order: the values are kept, the MAC is new."""
    file = real.folder / "ours.yaml"
    file.write_text(yamlio.dump([encrypted(a="1", z="2")]))
    real.run("set", "ours.yaml", '["data"]["a"]', '"bmV3"')
    assert revealed(opened(file.read_text()).values()) == {"a": b"new", "z": b"2"}
    assert outside.mac_survives_rewriting(yamlio.load(file.read_text(), "ours.yaml")[0])
    real.run("set", "ours.yaml", '["data"]["m"]', '"bQ=="')
    changed = yamlio.load(file.read_text(), "ours.yaml")[0]
    assert not outside.mac_survives_rewriting(changed)
    after = update(file.read_text(), {}, untouched="a m z")
    assert after["data"] == changed["data"]
    assert list(after["data"]) == ["a", "m", "z"]
    assert real.values(after) == {"a": b"new", "m": b"m", "z": b"2"}


def test_base64_that_we_would_write_otherwise_is_kept_with_its_mac(real: Sops) -> None:
    """Somebody may have set a value with line breaks in its base64; it is the same value."""
    file = real.folder / "ours.yaml"
    file.write_text(yamlio.dump([encrypted(a="value", b="2")]))
    real.run("set", "ours.yaml", '["data"]["a"]', r'"dmFs\ndWU="')
    after = update(file.read_text(), sensitive(b="3"), untouched="a")
    assert after["data"]["a"] == yamlio.load(file.read_text(), "ours.yaml")[0]["data"]["a"]
    assert real.values(after) == {"a": b"value", "b": b"3"}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("data: {a: MQ==, b: Mg==}", ()),
        ("stringData: {a: '1', b: '2'}", ("--encrypted-regex", "^(data|stringData)$", "--mac-only-encrypted")),
        ("data: {a: MQ==, b: Mg==}", ("--encrypted-regex", "^(data|stringData)$")),
        ("data: {a: MQ==, b: Mg==}", ("--encrypted-regex", "^data$", "--mac-only-encrypted")),
        ("data: {a: MQ==, b_open: eA==, b: Mg==}", ("--unencrypted-suffix", "_open", "--mac-only-encrypted")),
        (
            "metadata: {labels: {data: x}}\ndata: {a: MQ==, b: Mg==}",
            ("--encrypted-regex", "^(data|stringData)$", "--mac-only-encrypted"),
        ),
    ],
)
def test_a_document_in_another_form_is_converted_into_ours(real: Sops, text: str, options: tuple[str, ...]) -> None:
    """Everything is encrypted anew, with a new data key."""
    before = real.encrypt(f"apiVersion: v1\nkind: Secret\n{text}", *options)
    assert not outside.in_our_form(opened(before).object)
    after = update(before, sensitive(c="3"), untouched="a b")
    assert outside.in_our_form(after)
    assert after["kind"] == "Secret"
    assert opened(after).data_key.key.reveal() != opened(before).data_key.key.reveal()
    assert real.values(after) == {"a": b"1", "b": b"2", "c": b"3"}


def test_our_form_with_the_empty_lists_of_older_releases_is_still_ours(real: Sops) -> None:
    """They are kept while nothing changes, and go with the next MAC."""
    before = encrypted(a="1")
    before["sops"] |= {"kms": [], "gcp_kms": [], "azure_kv": [], "hc_vault": [], "pgp": []}
    assert update(before, {}, untouched="a")["sops"] == before["sops"]
    after = update(before, sensitive(b="2"), untouched="a")
    assert after["sops"].keys() == encrypted()["sops"].keys()
    assert real.values(after) == {"a": b"1", "b": b"2"}


# Seen without a key


def test_only_our_form_can_be_rewritten_without_its_mac() -> None:
    """Without a key nothing else is touched: values in plain text, other fields, keys that YAML takes for numbers."""
    document = encrypted(a="1", b="2")
    assert outside.mac_survives_rewriting(document)
    others: list[Object] = [
        {"data": {"b": document["data"]["b"], "a": document["data"]["a"]}},
        {"data": {**document["data"], 1: "x"}},
        {"data": {"a": 5}},
        {"data": [1]},
        {"sops": {**document["sops"], "encrypted_regex": "^data$"}},
        {"sops": {**document["sops"], "mac_only_encrypted": False}},
        {"sops": {}},
        {"stringData": {}},
        {"metadata": {"labels": {"data": "x"}}},
    ]
    assert not any(outside.mac_survives_rewriting(document | other) for other in others)


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        (lambda it: None, []),
        (lambda it: it["data"].update(a=""), []),
        (lambda it: it.pop("sops"), ["not encrypted: it has no sops block"]),
        (lambda it: it["sops"].pop("mac"), ["the sops block has no MAC"]),
        (lambda it: it["sops"].update(mac="ENC[]"), ["the sops block has no MAC"]),
        (lambda it: it["sops"].pop("age"), ["the sops block has no age recipient"]),
        (lambda it: it["data"].update(a=CANARY), ["data.a is not encrypted"]),
        (lambda it: it["data"].update(a=5, b=None), ["data.a is not encrypted", "data.b is not encrypted"]),
        (lambda it: it["data"].update(a=it["data"]["a"][:-1]), ["data.a is not a whole ENC[…] value"]),
        (lambda it: it["data"].update(a=it["data"]["a"].replace("=", "")), ["data.a is not a whole ENC[…] value"]),
        (lambda it: it.update(stringData={"b": CANARY}), ["stringData.b is not encrypted"]),
        (lambda it: it.update(data=CANARY), ["data is not a mapping of encrypted values"]),
        (lambda it: it.update(data=None), []),
    ],
)
def test_mistakes_of_a_committed_secret_show_without_a_key(change: Change, sentences: list[str]) -> None:
    """In sentences that quote no value."""
    document = encrypted(a="value")
    change(document)
    assert [flaw.message for flaw in outside.flaws(document)] == sentences


@pytest.mark.parametrize("rule", ["encrypted_comment_regex", "unencrypted_comment_regex"])
def test_what_comments_select_is_refused_as_what_it_is(rule: str) -> None:
    """No Secret keeps a comment on its way through a cluster, so nobody selects values of one so."""
    document = encrypted(token="value")
    document["sops"][rule] = document["sops"].pop("encrypted_regex")
    with pytest.raises(InputError, match="comments select what is encrypted, which is not supported"):
        opened(document)


def test_the_outside_of_a_document_is_read_without_cryptography() -> None:
    """ksecret-fn checks committed Secrets in every build."""
    loaded = "print({'cryptography', 'pyrage'} & sys.modules.keys())"
    code = f"import sys; from kubectl_ksecret.backends.sops import document; {loaded}"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_set_of_recipients_has_one_fingerprint() -> None:
    """The expected one is made with sha256sum and base64."""
    expected = "SHA256:VW+W3ueQY6CEDUfazxqrhu2VXQdC10oRe6o2Ic6em58"
    recipients = [f"age1{letter}" for letter in "fcbeadc"]
    assert outside.fingerprint(recipients) == outside.fingerprint(sorted(recipients)) == expected


# age


def age_environment(folder: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(folder), "PATH": os.environ["PATH"], **more}


def identities(environment: Mapping[str, str]) -> list[str]:
    return [identity.reveal().decode() for identity in age.identities(environment)]


def test_identities_are_read_from_everywhere_sops_reads_them(tmp_path: Path) -> None:
    """The variable, the named file, the command and the usual file, all together; comments are left out."""
    pairs = [new_pair() for _ in range(5)]
    named, usual = tmp_path / "named.txt", tmp_path / ".config" / "sops" / "age" / "keys.txt"
    usual.parent.mkdir(parents=True)
    named.write_text(f"# public key: {pairs[2].recipient}\n# {BOB.identity}\n\n{pairs[2].identity}\r\n")
    usual.write_text(pairs[4].identity)
    environment = age_environment(
        tmp_path,
        SOPS_AGE_KEY=f"{pairs[0].identity} {pairs[1].identity}",
        SOPS_AGE_KEY_FILE=str(named),
        SOPS_AGE_KEY_CMD=f"printf '%s\\n' {pairs[3].identity}",
    )
    assert identities(environment) == [pair.identity for pair in pairs]


def test_the_usual_key_file_lies_in_the_configuration_folder_that_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A relative XDG_CONFIG_HOME is passed over: it would lie in the repository."""
    (tmp_path / "sops" / "age").mkdir(parents=True)
    (tmp_path / "sops" / "age" / "keys.txt").write_text(ALICE.identity)
    assert identities({"XDG_CONFIG_HOME": str(tmp_path)}) == [ALICE.identity]
    monkeypatch.chdir(tmp_path)
    assert identities({"XDG_CONFIG_HOME": "."}) == identities({}) == []


def test_identities_that_can_not_be_used_are_passed_over(tmp_path: Path) -> None:
    """Plugins, SSH keys, half a post-quantum key, a key file with a passphrase, bytes that are no text."""
    keys = tmp_path / "keys.txt"
    lines = ["AGE-PLUGIN-YUBIKEY-1XYZ", "AGE-SECRET-KEY-PQ-1XYZ", "-----BEGIN OPENSSH PRIVATE KEY-----", "age1xyz"]
    keys.write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n" + ALICE.identity.encode())
    assert identities(age_environment(tmp_path, SOPS_AGE_KEY_FILE=str(keys))) == [ALICE.identity]
    assert identities(age_environment(tmp_path)) == []


def test_a_key_file_that_is_named_and_missing_is_a_mistake(tmp_path: Path) -> None:
    """It is not passed over: all would be encrypted anew without a word."""
    with pytest.raises(InputError, match=r"none\.txt: No such file") as error:
        age.identities(age_environment(tmp_path, SOPS_AGE_KEY_FILE=str(tmp_path / "none.txt")))
    assert error.value.mistakes[0].hint == "SOPS_AGE_KEY_FILE names it"


def test_the_key_command_runs_without_a_shell(tmp_path: Path) -> None:
    """Its words are split as a shell would, and nothing in them is expanded."""
    script = tmp_path / "print keys"
    words = tmp_path / "words"
    script.write_text(f"#!/bin/sh\nprintf '%s|' \"$@\" > {shlex.quote(str(words))}\necho {ALICE.identity}\n")
    script.chmod(0o700)
    command = f"'{script}' \"two words\" a\\ b $HOME $(touch x) ';' it\"'\"s"
    assert identities(age_environment(tmp_path, SOPS_AGE_KEY_CMD=command)) == [ALICE.identity]
    assert words.read_text() == "two words|a b|$HOME|$(touch|x)|;|it's|"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("false", "failed with 1"),
        ("/nowhere/keys", "can't be started"),
        (" ", "can't be started"),
        ("sleep 30", "did not end in 0.2 s"),
    ],
)
def test_a_key_command_that_fails_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, message: str
) -> None:
    """It is ended after a time limit."""
    monkeypatch.setattr(age, "COMMAND_SECONDS", 0.2)
    with pytest.raises(Refusal, match=message):
        age.identities(age_environment(tmp_path, SOPS_AGE_KEY_CMD=command))


def test_a_quote_without_end_in_the_key_command_is_a_mistake(tmp_path: Path) -> None:
    """The command is not quoted: it may hold a token."""
    with pytest.raises(InputError, match="a quote that does not end") as error:
        age.identities(age_environment(tmp_path, SOPS_AGE_KEY_CMD=f"echo '{CANARY}"))
    assert CANARY not in shown(error.value)


def test_age_opens_what_we_wrap_and_we_open_what_age_wraps(tmp_path: Path) -> None:
    """The data key travels as an armored age file."""
    program, key_file = peer("age"), tmp_path / "keys.txt"
    key_file.write_text(ALICE.identity)
    data_key = bytes(range(32))
    enc = age.wrap(Sensitive(data_key), ALICE.recipient)
    theirs = subprocess.run((program, "-d", "-i", str(key_file)), input=enc.encode(), capture_output=True, check=True)
    assert theirs.stdout == data_key
    enc = subprocess.run(
        (program, "-a", "-r", ALICE.recipient), input=data_key, capture_output=True, check=True
    ).stdout.decode()
    ours = age.unwrap(enc, [*BOB.identities, *ALICE.identities])
    assert ours is not None
    assert ours.reveal() == data_key
    assert age.unwrap(enc, BOB.identities) is None
    assert age.unwrap(enc[:-40], ALICE.identities) is None
