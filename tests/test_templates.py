"""Templates: what is resolved when sealing is, byte for byte, what External Secrets Operator makes of ours live."""

import json
from base64 import b64decode
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_ksecret.model.template import parse
from kubectl_ksecret.sensitive import Sensitive
from kubectl_ksecret.values.templates import evaluate

from .eso import rendered, synced
from .projects import Project, opened_by_kubeseal

ESO_STORE = {"externalSecret": {"store": {"name": "vault"}}}
VAULT = {"azureKeyVault": {"vaultUrl": "https://shop.vault.azure.net"}}
FILTERS = ("urlencode", "base64", "json", "base64 | json", "json | urlencode", "json | json", "urlencode | base64")

# By hand: a value and what a URL's password, a JSON string and base64 are of it.
EXPECTED = {
    b"": ("", '""', ""),
    b" ": ("%20", '" "', "IA=="),
    b"a+b": ("a%2Bb", '"a+b"', "YSti"),
    b"p@s/s": ("p%40s%2Fs", '"p@s/s"', "cEBzL3M="),
    b"<&>": ("%3C%26%3E", '"\\u003c\\u0026\\u003e"', "PCY+"),
    b"'\"\\": ("%27%22%5C", '"\'\\"\\\\"', "JyJc"),
    b"100%": ("100%25", '"100%"', "MTAwJQ=="),
    b"a\r\n\t": ("a%0D%0A%09", '"a\\r\\n\\t"', "YQ0KCQ=="),
    b"\x00\x08\x0c\x1f\x7f": ("%00%08%0C%1F%7F", '"\\u0000\\b\\f\\u001f\x7f"', "AAgMH38="),
    "ß€😀".encode(): ("%C3%9F%E2%82%AC%F0%9F%98%80", '"ß€😀"', "w5/igqzwn5iA"),
    "\u2028\u2029\ufeff\ufffd".encode(): (
        "%E2%80%A8%E2%80%A9%EF%BB%BF%EF%BF%BD",
        '"\\u2028\\u2029\ufeff\ufffd"',
        "4oCo4oCp77u/77+9",
    ),
    # One replacement for each byte: a lone one, a cut-off character, a surrogate, too long a form.
    b"\xff": ("%FF", '"\\ufffd"', "/w=="),
    b"\xe2\x82a": ("%E2%82a", '"\\ufffd\\ufffda"', "4oJh"),
    b"\xed\xa0\x80": ("%ED%A0%80", '"\\ufffd\\ufffd\\ufffd"', "7aCA"),
    b"\xc0\xaf": ("%C0%AF", '"\\ufffd\\ufffd"', "wK8="),
    b"-._~{{ }}": ("-._~%7B%7B%20%7D%7D", '"-._~{{ }}"', "LS5ffnt7IH19"),
}


def ours(template: str, value: bytes) -> bytes:
    """What a template that names the value x is resolved to."""
    return evaluate(parse(template), {"x": Sensitive(value)}, {}).reveal()


def of_operator(folder: Path) -> dict[str, str]:
    """The operator's template that we render for each of FILTERS on the value x."""
    project = Project(folder)
    keys = {f"key-{index}": {"template": f"{{{{ x | {filters} }}}}"} for index, filters in enumerate(FILTERS)}
    project.declare("app", keys, inputs={"x": {}})
    project.overlay("test", ESO_STORE, source=VAULT)
    data = yaml.safe_load(project.done("render", "test"))["spec"]["target"]["template"]["data"]
    return {filters: data[f"key-{index}"] for index, filters in enumerate(FILTERS)}


@pytest.mark.parametrize("value", EXPECTED, ids=repr)
def test_a_filter_writes_a_value_as_its_reader_needs_it(value: bytes) -> None:
    """For a URL, a JSON document and base64, whatever stands in the value."""
    results = tuple(ours(f"{{{{ x | {name} }}}}", value).decode() for name in ("urlencode", "json", "base64"))
    assert results == EXPECTED[value]


def test_filters_in_a_chain_work_from_left_to_right() -> None:
    """Base64 as a JSON string is not JSON as base64."""
    assert ours("{{ x | base64 | json }}", b"<>") == b'"PD4="'
    assert ours("{{x|json|base64}}", b"<>") == b"Ilx1MDAzY1x1MDAzZSI="


def test_the_operator_writes_every_value_as_sealing_does(tmp_path: Path) -> None:
    """Each filter and chain on each value: ESO's own template package gives the same bytes."""
    templates = of_operator(tmp_path)
    results = rendered(templates, [{"x": value} for value in EXPECTED])
    for value, by_operator in zip(EXPECTED, results, strict=True):
        assert by_operator == {filters: ours(f"{{{{ x | {filters} }}}}", value) for filters in FILTERS}
        assert (by_operator["urlencode"], by_operator["json"], by_operator["base64"]) == tuple(
            text.encode() for text in EXPECTED[value]
        )


def test_the_operator_agrees_on_any_bytes(tmp_path: Path) -> None:
    """A thousand values that nobody thought of, in one run of the operator's package."""
    templates, values = of_operator(tmp_path), []

    @settings(max_examples=1000, database=None, deadline=None)
    @given(st.binary() | st.text().map(str.encode) | st.text("<>&\u2028\ufffd\u0080\x00\"\\'").map(str.encode))
    def collect(value: bytes) -> None:
        values.append(value)

    collect()
    results = rendered(templates, [{"x": value} for value in values])
    for value, by_operator in zip(values, results, strict=True):
        assert by_operator == {filters: ours(f"{{{{ x | {filters} }}}}", value) for filters in FILTERS}


def test_one_declaration_gives_both_environments_the_same_secret(tmp_path: Path) -> None:
    """Filters on inputs, parameters and on what another template makes, in one text with literals around them."""
    project = Project(tmp_path)
    project.declare(
        "app",
        {
            "user": {},
            "login": {"template": "{{ user | urlencode }}:{{ password | urlencode }}"},
            "url": {"template": "db://{{ login }}@{{ parameters.host }}/?tag={{ parameters.tag | urlencode }}"},
            "config": {"template": '{"login": {{ login | json }}, "tag": {{ parameters.tag | json }}}'},
            "header": {"template": "Basic {{ login | base64 }}\n"},
        },
        inputs={"password": {}},
    )
    parameters = {"host": "db:27017", "tag": "<a b>&\u2028\"'\\{{+"}
    project.overlay("test", ESO_STORE, source=VAULT, parameters=parameters)
    project.sealed_overlay(source={"environment": {}}, parameters=parameters)
    project.done("seal", "prod", USER="the user", PASSWORD="p@ß+<")
    expected = {
        "user": b"the user",
        "login": b"the%20user:p%40%C3%9F%2B%3C",
        "url": b"db://the%20user:p%40%C3%9F%2B%3C@db:27017/?tag=%3Ca%20b%3E%26%E2%80%A8%22%27%5C%7B%7B%2B",
        "config": b'{"login": "the%20user:p%40%C3%9F%2B%3C", "tag": "\\u003ca b\\u003e\\u0026\\u2028\\"\'\\\\{{+"}',
        "header": b"Basic dGhlJTIwdXNlcjpwJTQwJUMzJTlGJTJCJTND\n",
    }
    assert opened_by_kubeseal(project.manifest("app")) == expected
    source = {"user": b"the user", "password": "p@ß+<".encode()}
    assert synced(yaml.safe_load(project.done("render", "test")), source) == expected
    assert json.loads(expected["config"])["tag"] == parameters["tag"]
    assert b64decode(expected["header"][6:]) == expected["login"]
