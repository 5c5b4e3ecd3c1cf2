"""The rules of a value: what they take and refuse, and that a value which breaks one is never shown."""

import time
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_ksecret.model.types.declaration import Format, Rules
from kubectl_ksecret.model.types.names import seconds
from kubectl_ksecret.model.types.origin import Origin
from kubectl_ksecret.sensitive import Sensitive
from kubectl_ksecret.values.rules import broken
from kubectl_ksecret.yamlio import compose

from .projects import Project, opened_by_kubeseal

(NODE,) = compose("{}", "file")
ORIGIN = Origin("file", NODE)
PEM = "-----BEGIN THING-----\nAAAA\n-----END THING-----"
TWO = "-----BEGIN A THING-----\nAAAA\nAAA=\n-----END A THING-----\n"

FITTING: dict[Format, list[str]] = {
    "url": [
        "https://example.org", "https://example.org:8443/a/b;c?d=e&f#g", "HTTP://LOCALHOST:1",
        "amqp://u:p%40@mq_1:5672/%2F", "postgresql://app:a:b@db/shop?sslmode=require", "https://[2001:db8::1]:443/",
        "git+ssh://git@host/~a", "s3://bucket-1/key", "http://127.0.0.1:65535", "https://u@h", "https://h?q",
        "https://h#f",
    ],
    "uuid": [
        "123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000",
        "00000000-0000-0000-0000-000000000000",
    ],
    "base64": ["AA==", "AAE=", "AAEC", "+/+/", "AA\nE=\r\n"],
    "json": [
        "{}", "[]", "null", "true", "0", "-1.5e-7", '""', ' {"a": [1, {"b": "\\u0000"}]}\r\n\t', '"é\u2028😀"',
        '"\\ud800"', "9" * 5000, "1e999999", "-0", "[" * 200 + "]" * 200, '{"a": 1, "a": 2}',
    ],
    "pem": [
        PEM, PEM + "\n", PEM.replace("\n", "\r\n"), TWO + TWO, "Bag Attributes\n    name: a\n" + PEM + "\n\n" + TWO,
        PEM.replace("AAAA", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA"),
    ],
    "alphanumeric": ["a", "Z9", "0" * 5000],
    "url-safe": ["a", "-._~", "aZ09"],
    "mongodb-url": [
        "mongodb://localhost", "mongodb://db:27017/", "mongodb://app:p%40ss@db:27017/shop",
        "mongodb+srv://u:p@cluster.example.net/shop?w=majority",
        "mongodb://u:p@a:1,b:2,c/shop?replicaSet=rs0&tls=true", "mongodb://h?ssl=true",
        "mongodb://%2Ftmp%2Fmongodb-27017.sock", "mongodb://u@[::1]:27017,db/", "mongodb://u:@h",
        "mongodb://u:p!$&'()*+,;=@h",
    ],
    "redis-url": [
        "redis://localhost", "redis://:p%40@cache:6379/0", "rediss://user:p@cache.example.net:6380",
        "redis://h/15?ssl_cert_reqs=required", "redis://[::1]:6379", "redis://user@h/",
    ],
}  # fmt: skip
OTHER: dict[Format, list[str]] = {
    "url": [
        "example.org", "//example.org", "/path", "mailto:a@b.c", "file:///etc/x", "https://", "https:///a",
        "https://:80", "https://h:", "https://h:65536", "https://h:0", "https://h:80x", "https://a b", "https://h/a b",
        "https://h/\n", "https://h\n", " https://h", "https://h/ä", "https://ä", "https://u:p@ss@h", "https://u:p#@h",
        "https://u:p/s@h/", "https://h/%", "https://h/%4", "https://h/%zz", "https://h/{a}", "https://h/<a>",
        'https://h/"', "https://h/^", "https://h/a|b", "https://[::1", "https://[1::2::3]", "https://[::1%25a]",
        "1https://h", "https://-h", "https://h#a#b", "jdbc:postgresql://h/db", "https://a,b",
    ],
    "uuid": [
        "123e4567e89b12d3a456426614174000", "{123e4567-e89b-12d3-a456-426614174000}",
        "123e4567-e89b-12d3-a456-42661417400", "123e4567-e89b-12d3-a456-426614174000\n",
        "urn:uuid:123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-42661417400g",
        "١23e4567-e89b-12d3-a456-426614174000", "123e4567--e89b-12d3-a456-26614174000",
    ],
    "base64": ["A", "AA", "AA=", "AAEC=", "AA ==", "-_-_", "\n", "ä", "AAEC\x00"],
    "json": [
        "NaN", "Infinity", "-Infinity", "[NaN]", "{", "{'a': 1}", "{a: 1}", "[1,]", "01", "+1", ".5", "1.", "tru",
        "// a\n1", '"a\nb"', '"\t"', '"\\x"', "\ufeff{}", "1 2", "[" * 100_000, "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000, "١", "\xa01",
    ],
    "pem": [
        "AAAA", "-----BEGIN A-----\nAAAA", "-----BEGIN A-----\nAAAA\n-----END B-----",
        "-----BEGIN A-----\n-----END A-----", "-----BEGIN A-----\n\n-----END A-----",
        "-----BEGIN A-----\nAAA\n-----END A-----", "-----BEGIN A-----\nA A A A\n-----END A-----",
        PEM.replace("\n", " "), PEM.replace("\n", "\\n"), PEM.replace("\n", ""), PEM + "\n-----BEGIN A-----\nAAAA",
        "-----END A-----\n" + PEM, PEM.replace("AAAA", "A: B"), " " + PEM, PEM + PEM, PEM.replace("AAAA", "ÄÄÄÄ"),
        PEM.replace("AAAA", "AAAA\n\n=abcd"),
    ],
    "alphanumeric": ["a-b", "a\n", " a", "ä", "١", "a_b"],
    "url-safe": ["a b", "a+b", "a/b", "a=", "a\n", "ä", "%41"],
    "mongodb-url": [
        "mongo://h", "MONGODB://h", "mongodb://", "mongodb://u:p@", "mongodb://:p@h", "mongodb://u:p@ss@h",
        "mongodb://u:p:q@h", "mongodb://u:p/q@h", "mongodb://u:p%@h", "mongodb://u:pä@h", "mongodb://u:p q@h",
        "mongodb://a,,b", "mongodb://a,", "mongodb://h:0/", "mongodb://h:99999/", "mongodb+srv://a.b.c:27017/",
        "mongodb+srv://a.b.c,d.e.f/", "mongodb+srv://localhost/", "mongodb://h/a/b", "mongodb://h/#a", "mongodb://h\n",
        "https://h", "mongodb://[1::2::3]/", "mongodb://h:/",
    ],
    "redis-url": [
        "redis:", "redis://", "redis:///0", "http://h", "REDIS://h", "redis://h/db", "redis://h/0/1",
        "redis://u:p@ss@h", "redis://u:p#s@h", "redis://h:65536", "redis+sentinel://h", "unix:///tmp/redis.sock",
        "redis://h/0#a", "redis://h/0\n", "redis://a,b",
    ],
}  # fmt: skip


def breaks(value: bytes, **rules: object) -> list[str]:
    """What a value breaks of some rules."""
    return list(broken(Rules(origin=ORIGIN, **rules), Sensitive(value)))  # type: ignore[arg-type]


@pytest.mark.parametrize("format_", get_args(Format))
def test_a_format_takes_what_its_readers_take(format_: Format) -> None:
    """And no more of it than one thing, for instance one URL."""
    assert [value for value in FITTING[format_] if breaks(value.encode(), format=format_)] == []


@pytest.mark.parametrize("format_", get_args(Format))
def test_a_format_refuses_what_comes_near_it(format_: Format) -> None:
    """Nothing, a line break that echo left, characters that only look the same, bytes that are no text."""
    near = [text.encode() for text in ("", "\n", " ", *OTHER[format_])] + [b"\xff", b"a\xff", b"\x00"]
    assert [value for value in near if breaks(value, format=format_) != [f"format: {format_}"]] == []


@settings(deadline=None)
@given(st.sampled_from(get_args(Format)), st.binary() | st.text().map(str.encode))
def test_no_value_does_harm_to_a_format(format_: Format, value: bytes) -> None:
    """It has it or not, and the answer says no more."""
    assert breaks(value, format=format_) in ([], [f"format: {format_}"])


@pytest.mark.parametrize("format_", get_args(Format))
def test_a_format_is_told_of_a_long_value_in_no_time(format_: Format) -> None:
    """200 kB of what it has most of, and then what it never has: nothing is gone over again and again."""
    started = time.monotonic()
    for start in (*FITTING[format_], "-----BEGIN A-----\n", "mongodb://a,", "[", '"', "a:", "%41"):
        for more in (start[-1:], "a", ",", "%41", "\n", ":", "@", "A: b\n", "-", "["):
            breaks((start + more * (200_000 // len(more)) + "\x00").encode(), format=format_)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("pattern", "value", "holds"),
    [
        ("b", b"abc", True),
        ("^b", b"abc", False),
        ("^abc$", b"abc\n", False),
        ("(?i)^ABC$", b"abc", True),
        ("^.{3}$", "äöü".encode(), True),
        ("^.$", b"\xff", False),
        ("^\\pL+$", "größe".encode(), True),
        ("b", b"\xffb\xfe", True),
        ("^$", b"", True),
        ("a.b", b"a\nb", False),
        ("\\x00", b"a\x00", True),
    ],
)
def test_a_pattern_must_be_found_in_the_value(pattern: str, value: bytes, holds: bool) -> None:
    """Anywhere unless it is anchored, in characters, and in bytes that are no text as far as they are."""
    assert breaks(value, pattern=pattern) == ([] if holds else [f"pattern: {pattern}"])


def test_a_pattern_takes_linear_time() -> None:
    """What takes a backtracking engine longer than the universe has lasted is done at once."""
    started = time.monotonic()
    assert breaks(b"x" * 1_000_000, pattern="^(x+x+)+y$") == ["pattern: ^(x+x+)+y$"]
    assert time.monotonic() - started < 5


def test_lengths_are_of_bytes_and_every_broken_rule_is_named() -> None:
    """An umlaut is two bytes; what is broken is said as it is declared."""
    assert breaks("ä".encode(), min_length=2, max_length=2) == []
    assert breaks(b"ab!", min_length=4, max_length=2, pattern="^x\n", format="uuid") == [
        "minLength: 4",
        "maxLength: 2",
        "pattern: ^x\\n",
        "format: uuid",
    ]


def test_a_value_that_breaks_a_rule_is_named_and_not_shown(tmp_path: Path) -> None:
    """By Secret, key and rule, at the place of the rule; nothing is written."""
    project = Project(tmp_path)
    rules = {"id": {"format": "uuid"}, "tag": {"pattern": "^v[0-9]+$"}}
    project.declare("app", {name: {"rules": rule} for name, rule in rules.items()})
    project.sealed_overlay(source={"environment": {}})
    before = project.files()
    done = project.ksecret("seal", "prod", ID="canary-1", TAG="canary-2")
    assert (done.code, done.out, done.err) == (
        2,
        "",
        "error: generators/app.yaml:9:17: the value of app/id breaks format: uuid\n"
        "error: generators/app.yaml:12:18: the value of app/tag breaks pattern: ^v[0-9]+$\n",
    )
    assert project.changed_since(before) == set()
    project.done("seal", "prod", ID="123e4567-e89b-12d3-a456-426614174000", TAG="v12")
    assert opened_by_kubeseal(project.manifest("app"))["tag"] == b"v12"


@pytest.mark.parametrize("options", [[], ["--from-stdin"], ["-f", "-"]], ids=str)
def test_a_pattern_that_is_none_is_told_before_any_value_is_read(tmp_path: Path, options: list[str]) -> None:
    """With its place and RE2's reason, all of them at once, of keys and inputs; RE2 itself says nothing."""
    project = Project(tmp_path)
    patterns = {"a": "(?=x)", "b": "(x", "c": "^x$", "d": "(x)\\1", "e": "x{1001}"}
    keys = {name: {"rules": {"pattern": pattern}} for name, pattern in patterns.items()}
    inputs = {"f": {"rules": {"pattern": "[z-a]"}}}
    project.declare("app", keys | {"made": {"template": "{{ f }}"}}, inputs=inputs)
    calls = tmp_path / "calls"
    arguments = ["sh", "-c", f'echo "$0" >> {calls}', "{name}"]
    project.sealed_overlay(source={"command": {"arguments": arguments}})
    done = project.ksecret("seal", "prod", *(["app/c"] if options else []), *options, stdin="x")
    message = "error: generators/app.yaml:{}:18: not a regular expression of RE2: {}\n"
    hint = "hint: RE2 has no lookaround and no backreferences\n"
    assert (done.code, done.out, done.err) == (
        2,
        "",
        message.format(9, "invalid perl operator: (?=")
        + hint
        + message.format(12, "missing ): (x")
        + message.format(18, "invalid escape sequence: \\1")
        + hint
        + message.format(21, "invalid repetition size: {1001}")
        + message.format(27, "invalid character class range: z-a"),
    )
    assert not calls.exists()


def test_a_render_reads_no_pattern(tmp_path: Path) -> None:
    """It has no value to hold against it."""
    project = Project(tmp_path)
    project.declare("app", {"a": {"rules": {"pattern": "(?=x)"}}})
    store = {"externalSecret": {"store": {"name": "vault"}}}
    project.overlay("test", store, source={"azureKeyVault": {"vaultUrl": "https://v.vault.azure.net"}})
    assert project.done("render", "test", "-o", "name") == "externalsecret.external-secrets.io/app\n"


def test_an_age_is_a_number_of_seconds() -> None:
    """Of days, hours or minutes; a duration as Kubernetes writes it may have several units."""
    assert [seconds(text) for text in ("90d", "12h", "30m", "1h30m", "500ms")] == [7776000, 43200, 1800, 5400, 0.5]
