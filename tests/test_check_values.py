"""`kubectl ksecret check --with-values`: rules on every value, and no value in two environments; nothing is shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .keyvault import KeyVault
from .keyvault.faults import no_role
from .projects import Project, shop


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    """An empty vault."""
    with KeyVault() as double:
        yield double


def two_environments(folder: Path, vault: KeyVault) -> Project:
    """`test` is fetched from NAME-test, `prod` sealed from NAME-prod, of one vault."""
    project = Project(folder)
    project.environment |= vault.environment
    project.declare(
        "app",
        {
            "token": {"rules": {"minLength": 8}},
            "shared": {"from": "app/token"},
            "part": {"property": "a.b"},
            "url": {"template": "{{ parameters.host }}", "rules": {"format": "url"}},
        },
    )
    for name, suffix in (("test", "-test"), ("prod", "-prod")):
        source = {"names": "{remoteName}" + suffix, "azureKeyVault": {"vaultUrl": vault.url}}
        parameters = {"host": "https://one.example"}
        if name == "test":
            backend = {"externalSecret": {"store": {"name": "store"}}}
            project.overlay(name, backend, source=source, parameters=parameters)
        else:
            project.sealed_overlay(name, source=source, parameters=parameters)
        vault.set(f"token{suffix}", f"a value of {name}")
        vault.set(f"part{suffix}", f'{{"a": {{"b": "{name}"}}}}')
        project.write(f"overlays/{name}/kustomization.yaml", f"namespace: shop-{name}\nresources: [secrets]\n")
    project.done("seal", "prod")
    project.done("render", "--write")
    return project


def test_values_that_keep_their_rules_are_no_finding(tmp_path: Path, vault: KeyVault) -> None:
    """A template of the same text, and a key shared by `from`, are no value in two environments."""
    project = two_environments(tmp_path, vault)
    assert project.done("check", "--with-values") == ""


def test_each_kind_of_finding_is_told_with_its_place(tmp_path: Path, vault: KeyVault) -> None:
    """In both backends, all at once; exit code 1."""
    project = two_environments(tmp_path, vault)
    vault.set("token-test", "short")
    vault.set("part-test", '{"a": 1}')
    vault.delete("part-prod")
    vault.set("token-prod", "short")
    done = project.ksecret("check", "--with-values")
    assert (done.code, done.err) == (1, "")
    hint = "hint: set a value of its own in the source of test"
    assert done.out.splitlines() == [
        "error: generators/app.yaml:13:7: app/part: the source of prod has no part-prod#a.b [value-missing]",
        "error: generators/app.yaml:13:7: app/part: the source of test has no part-test#a.b [value-missing]",
        "error: generators/app.yaml:9:20: the value of app/shared breaks minLength: 8 in prod [value-breaks-rule]",
        "error: generators/app.yaml:9:20: the value of app/token breaks minLength: 8 in prod [value-breaks-rule]",
        "error: generators/app.yaml:9:20: the value of app/shared breaks minLength: 8 in test [value-breaks-rule]",
        "error: generators/app.yaml:9:20: the value of app/token breaks minLength: 8 in test [value-breaks-rule]",
        "warning: generators/app.yaml:7:5: app/token has the same value in test as app/token in prod [same-value]",
        hint,
    ]


def test_a_disabled_secret_is_a_finding_among_others(tmp_path: Path, vault: KeyVault) -> None:
    """The other values are looked at all the same."""
    project = two_environments(tmp_path, vault)
    vault.disable("part-test", vault.versions("part-test")[-1].id)
    vault.set("token-test", "short")
    done = project.ksecret("check", "--with-values", "--min-severity", "error")
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines() == [
        "error: generators/app.yaml:13:7: app/part: part-test is disabled in the source of test [value-missing]",
        "error: generators/app.yaml:9:20: the value of app/shared breaks minLength: 8 in test [value-breaks-rule]",
        "error: generators/app.yaml:9:20: the value of app/token breaks minLength: 8 in test [value-breaks-rule]",
    ]


def test_a_line_break_at_the_end_makes_no_other_value(tmp_path: Path, vault: KeyVault) -> None:
    """Nor does it hide that two environments have the same; and that they read one name is said."""
    project = two_environments(tmp_path, vault)
    vault.set("token-test", "the same value")
    vault.set("token-prod", "the same value\n")
    same = "app/token has the same value in test as app/token in prod"
    assert f"{same} [same-value]\nhint: set a value of its own" in project.ksecret("check", "--with-values").out
    overlay = (project.root / "overlays/test/secrets/ksecret.yaml").read_text()
    project.write("overlays/test/secrets/ksecret.yaml", overlay.replace("'{remoteName}-test'", "'{remoteName}-prod'"))
    assert (
        f"{same}: they read one name [same-value]\nhint: give test a name"
        in project.ksecret("check", "--with-values").out
    )


def test_without_the_option_no_source_is_asked(tmp_path: Path, vault: KeyVault) -> None:
    """What is committed is checked alone."""
    project = two_environments(tmp_path, vault)
    asked = vault.connections
    assert project.done("check") == ""
    project.declare("more", {"key": {}})
    done = project.ksecret("check")
    assert (done.code, done.err, vault.connections) == (1, "", asked)
    files = [f"overlays/test/secrets/manifests/{name}.yaml" for name in ("more", "kustomization")]
    assert done.out == (
        "".join(
            f"error: {file}: not what render --write makes of the declarations [manifests-out-of-date]\n"
            "hint: run: kubectl ksecret render test --write\n"
            for file in files
        )
        + "error: generators/more.yaml:7:5: more/key is not sealed in prod [not-sealed]\n"
        "hint: run: kubectl ksecret seal prod\n"
    )


def test_a_command_is_left_out_and_this_is_said(tmp_path: Path) -> None:
    """What a repository names is run by seal and rotate alone; an overlay without a source has nothing to read."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.sealed_overlay(source={"command": {"arguments": ["touch", "{name}"]}})
    project.overlay("eu", {"sealedSecret": {"certificate": "../../prod/secrets/sealing.pem"}})
    for name in ("prod", "eu"):
        project.write(f"overlays/{name}/kustomization.yaml", f"namespace: shop-{name}\nresources: [secrets]\n")
    project.done("seal", "eu", "--source", "dotenv=.env")
    before = project.files()
    done = project.ksecret("check", "--with-values")
    assert (done.code, done.out, project.changed_since(before)) == (0, "", set())
    assert done.err.splitlines() == [
        "warning: overlays/eu/secrets/ksecret.yaml:6:3: the values of eu are not checked: it has no source",
        "warning: overlays/prod/secrets/ksecret.yaml:14:5: the values of prod are not checked: a command runs in seal "
        "and rotate alone",
    ]


def test_a_source_that_refuses_is_no_finding(tmp_path: Path, vault: KeyVault) -> None:
    """Exit code 3: nobody looked at the values."""
    project = two_environments(tmp_path, vault)
    vault.faults.add(no_role())
    done = project.ksecret("check", "--with-values")
    assert (done.code, done.out, "no permission for" in done.err) == (3, "", True)


IN_FILES = [
    ("a long value", "x = 'a long value'\n", ["notes.txt:1:6", "as it is"]),
    ("a long value", "\n  token: YSBsb25nIHZhbHVl\n", ["notes.txt:2:10", "in base64"]),
    ("a long value", "two: YSBsb25nIHZhbHVlCg==\n", ["notes.txt:1:6", "in base64"]),  # with a line break
    ("a/b+c=d?e&f", "https://x.example/?q=a%2Fb%2Bc%3Dd%3Fe%26f", ["notes.txt:1:22", "URL-encoded"]),
    ("a long value", "not a long valued thing\n", None),
    ("kurz", "kurz\n", None),
    ("development", "development\n", None),
]


@pytest.mark.parametrize(("value", "text", "forms"), IN_FILES, ids=range(len(IN_FILES)))
def test_a_value_in_a_tracked_file_is_named_and_not_shown(
    tmp_path: Path, value: str, text: str, forms: list[str] | None
) -> None:
    """By itself, not within a word, and only if it is no text that stands anywhere by chance."""
    project = shop(tmp_path, f"TOKEN='{value}'\nPASSWORD=no more than this one\n")
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
    project.done("seal", "prod")
    project.write("notes.txt", text)
    project.commit()
    done = project.ksecret("check", "--with-values", "--min-severity", "error")
    place, how = forms or ("", "")
    hint = "hint: take it out, and give the key a new value"
    message = f"error: {place}: the value of app/token of prod stands here {how} [value-in-repository]\n{hint}\n"
    assert (done.code, done.err, done.out) == ((1, "", message) if forms else (0, "", ""))


def test_a_value_in_a_file_that_git_does_not_track_is_no_finding(tmp_path: Path) -> None:
    """The dotenv file itself is one."""
    project = shop(tmp_path, "TOKEN=a long value\nPASSWORD=another long value\n")
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
    project.done("seal", "prod")
    project.commit()
    project.write("notes.txt", "a long value\n")
    assert project.done("check", "--with-values", "--min-severity", "error") == ""
