"""From what the source holds to the bytes of the Secret: base64 and JSON as External Secrets Operator reads them."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubectl_ksecret.model.reading.reader import Reading, read
from kubectl_ksecret.model.resolution import Remote
from kubectl_ksecret.model.types.declaration import Encoding, SecretDeclaration
from kubectl_ksecret.sensitive import Sensitive
from kubectl_ksecret.values.extraction import extract
from kubectl_ksecret.yamlio import compose

from .eso import rendered
from .peers import peer, run

(NODE,) = compose(
    "{apiVersion: ksecret.dev/v1alpha1, kind: SecretDeclaration, metadata: {name: a}, spec: {keys: {k: {}}}}", "file"
)
KEY = read(SecretDeclaration, NODE, Reading("file")).spec.keys["k"]

DECODED = {
    b"": b"",
    b"AA==": b"\x00",
    b"AAE=": b"\x00\x01",
    b"+/+/": b"\xfb\xff\xbf",
    b"A\nA\r=\n=\r\n": b"\x00",
    b"\nAAE=\n\n": b"\x00\x01",
    b"AB==": b"\x00",  # bits that are left over are let go
}
NOT_BASE64 = [
    b"A", b"AA", b"AAA", b"AA=", b"AAE==", b"AAEC=", b"AAEC====", b"=", b"==", b"====", b"A===", b"AA==AA==",
    b"AA==\n=", b" AA==", b"AA ==", b"AA==\t", b"AA\x0b==", b"AA==\x00", b"-_-_", b"AA==!", b"AAE\xff",
    "ÄA==".encode(), b"AA=A",
]  # fmt: skip


def extracted(value: bytes, property_: str | None = None, encoding: Encoding = "none") -> bytes:
    """What a key gets of a value in the source."""
    remote = Remote(
        key=KEY,
        remote_name="x",
        name="x",
        property=property_,
        version=None,
        encoding=encoding,
        explicit=False,
        overridden=False,
        literal=False,
    )
    return extract(remote, Sensitive(value)).reveal()


def decoded(value: bytes) -> bytes | None:
    """What is decoded of a value; None if it is refused."""
    try:
        return extracted(value, encoding="base64")
    except ValueError as error:
        assert str(error) == "is not base64"
        return None


@pytest.mark.parametrize("text", DECODED, ids=repr)
def test_base64_is_decoded_whatever_its_line_breaks(text: bytes) -> None:
    """As Go's StdEncoding does it, and External Secrets Operator with it."""
    assert decoded(text) == DECODED[text]


@pytest.mark.parametrize("text", NOT_BASE64, ids=repr)
def test_base64_is_whole_and_of_the_standard_alphabet(text: bytes) -> None:
    """Without padding, with a = too many, with a blank, cut off: a value that was copied wrong is not guessed at."""
    assert decoded(text) is None


def test_base64_is_what_the_operators_decoder_takes_for_it() -> None:
    """Go's own decoder, as the operator's templates call it, takes and refuses the same texts."""
    texts = [*DECODED, *NOT_BASE64]

    @settings(max_examples=1000, database=None, deadline=None)
    @given(st.text("AQg+/=-\n\r ", max_size=9).map(str.encode))
    def collect(text: bytes) -> None:
        texts.append(text)

    collect()
    results = rendered({"found": '{{ index . "x" | b64dec | b64enc }}'}, [{"x": text} for text in texts])
    refusal = b"illegal base64 data"
    by_operator = [extracted(result["found"], encoding="base64") for result in results]
    assert [None if result.startswith(refusal) else result for result in by_operator] == [
        decoded(text) for text in texts
    ]


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        ('{"a": {"b": "deep"}}', "a.b", "deep"),
        ('{"a.b": "dotted"}', "a.b", "dotted"),
        ('{"a": {"b": "deep"}, "a.b": "dotted"}', r"a\.b", "dotted"),
        ('{"a": ""}', "a", ""),
        ('{"a": "null"}', "a", "null"),
        ('{"a": false}', "a", "false"),
        ('{"a": -12}', "a", "-12"),
        ('{"a": ' + "9" * 5000 + "}", "a", "9" * 5000),
        ('{"a": "x", "b": ' + "9" * 5000 + "}", "a", "x"),
        ('{"a": [ 1, {"b": 2.50} ]}', "a", '[ 1, {"b": 2.50} ]'),
        ('{"a": [1, {"b": 2.50}]}', "a.1.b", "2.5"),
        ('{"a": [{"b": 1}, {"c": 2}, {"b": "x"}]}', "a.#.b", '[1,"x"]'),
        ('{"a": [1, 2]}', "a.#", "2"),
        ('{"a": "first", "a": "second"}', "a", "first"),
        ('{"a": 1e21}', "a", "1000000000000000000000"),
    ],
    ids=range(15),
)
def test_a_property_is_found_by_its_path_or_by_its_whole_name(document: str, path: str, expected: str) -> None:
    """An object or list is its text, a number its digits, however many, or a decimal without an exponent."""
    assert extracted(document.encode(), path) == expected.encode()


@pytest.mark.parametrize(
    "document", ['{"a": null, "a.b": null}', '{"a": null}', "null", "{}", '{"b": ""}', "[]", '"a"']
)
def test_null_is_a_missing_value(document: str) -> None:
    """It is not the text null, and not the empty text."""
    for path in ("a", "a.b"):
        with pytest.raises(ValueError, match=f"^has no (text as its )?property {path}$"):
            extracted(document.encode(), path)


def test_a_path_and_a_name_that_both_are_there_are_not_guessed_at() -> None:
    """For Azure the path goes first in the operator, for Vault, AWS and Google the name."""
    with pytest.raises(ValueError, match=r"^has a member a\.b and a path a\.b, which providers read differently$"):
        extracted(b'{"a": {"b": "deep"}, "a.b": "dotted"}', "a.b")


@pytest.mark.parametrize(
    "path", ["a*", "a?b", "a|b", "@this", "a.@values", "#(a==1).b", "[a,b]", "{a,b}", "a.[b]", "..0", "!1"]
)
def test_what_gjson_has_beside_paths_is_refused(path: str) -> None:
    """It would be read in another way than External Secrets Operator reads it."""
    with pytest.raises(ValueError, match="that this tool does not read"):
        extracted(b'{"a": [1]}', path)


SCALARS = st.sampled_from(["s", "", "}", True, False, 0, -12, 1.5, 1.0, 1e21, 1e-7, -0.0, 12345678901234567890123])
NAMES = st.sampled_from(["a", "b", "a.b", "0", "", "#", "@type", "a b", 'q"', "\\", "ä", "*"])
DOCUMENTS = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4), max_leaves=12
)
STEPS = st.sampled_from(["a", "b", "0", "1", "00", "#", r"a\.b", "@type", "", r"\#", "a b", 'q"', "\\\\", "ä", r"\*"])


def test_members_are_those_that_the_operators_library_reads() -> None:
    """The real gjson, as External Secrets Operator calls it for Azure and for Vault, finds the same texts."""
    pairs: list[tuple[str, str]] = []

    @settings(max_examples=2000, database=None, deadline=None)
    @given(st.lists(DOCUMENTS, max_size=3) | st.dictionaries(NAMES, DOCUMENTS), st.lists(STEPS, min_size=1, max_size=4))
    def collect(document: object, steps: list[str]) -> None:
        property_ = ".".join(steps)
        if property_ and not property_.startswith(".."):
            pairs.append((json.dumps(document, indent=1 if len(pairs) % 2 else None), property_))

    collect()
    pairs.append(('{"a": {"b": 1}, "a": {"c": 2}}', "a.c"))
    for (document, property_), read_ in zip(
        pairs, json.loads(run(peer("gjson-get"), input=json.dumps(pairs))), strict=True
    ):
        try:
            text = extracted(document.encode(), property_).decode()
        except ValueError as error:
            if "providers" in str(error):
                continue
            text = None
        assert {"azure": text, "vault": text} == read_, (document, property_)


@settings(deadline=None)
@example(b"[" * 100_000)
@given(st.binary() | st.text('{}[]":,.0123456789aeflnrstu\\').map(str.encode))
def test_no_value_in_place_of_json_does_harm(document: bytes) -> None:
    """It is read, or refused without being shown."""
    try:
        extracted(document, "a")
    except ValueError as error:
        assert "a" in str(error) and error.__cause__ is None
