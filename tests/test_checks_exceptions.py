"""Exceptions of `check`: what is accepted is silenced, exactly that, and an exception that is wrong is a finding."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kubectl_ksecret.actions.accept import refuse
from kubectl_ksecret.checks import Finding, check, exceptions
from kubectl_ksecret.checks.exceptions import Accepted, Judged, judge, of_text
from kubectl_ksecret.errors import InputError, Place
from kubectl_ksecret.files.project import Project as Files
from kubectl_ksecret.model.kubernetes import Subject

from .projects import Project

BACKEND = Subject("Secret", "shop", "backend")
AT = Place("base/app.yaml", 3, 5)


def finding(
    rule: str = "not-sealed", subject: Subject | None = BACKEND, overlay: str = "", place: Place | None = AT
) -> Finding:
    """One finding; in the file of test and prod if nothing else is said."""
    return Finding(rule=rule, severity="error", message="…", place=place, subject=subject, overlay=overlay)


def accepted(
    object_: str = "Secret/shop/backend", overlay: str = "prod", rule: str = "not-sealed", until: str = ""
) -> Accepted:
    """An exception of an overlay."""
    return Accepted(
        rule=rule, reason="known", place=Place(f"{overlay}.yaml", 9, 9), until=until, object=object_, overlay=overlay
    )


def judged(findings: Sequence[Finding], *stated: Accepted, complete: bool = True) -> Judged:
    """What becomes of them in a project of the overlays test and prod, which have base/ in common."""
    rules = ["not-sealed", "plaintext-secret", "unreadable-file"]
    overlays_of = {"base/app.yaml": ["test", "prod"], "test/app.yaml": ["test"]}
    done = rules if complete else ()
    return judge(findings, stated, Files("."), overlays_of, rules, done, "2026-06-30")


def reported(outcome: Judged) -> list[tuple[str, str]]:
    """The rule and the message of each finding about exceptions."""
    return [(result.rule, result.message) for result in check(outcome, exceptions.RULES)]


@pytest.mark.parametrize("name", ["Secret/shop/backend", "Secret/backend"])
def test_an_exception_silences_its_rule_and_object(name: str) -> None:
    """With the namespace, or without it for any."""
    outcome = judged([finding(overlay="prod")], accepted(name))
    assert (outcome.kept, outcome.silenced, reported(outcome)) == ([], 1, [])


@pytest.mark.parametrize(
    ("one", "exception"),
    [
        (finding(rule="unreadable-file"), accepted()),
        (finding(subject=Subject("Secret", "shop", "backend-2")), accepted()),
        (finding(subject=Subject("Secret", "other", "backend")), accepted()),
        (finding(subject=Subject("SealedSecret", "shop", "backend")), accepted("Secret/backend")),
        (finding(subject=Subject("Secret", "", "backend")), accepted()),
        (finding(overlay="test"), accepted()),
        (finding(place=Place("test/app.yaml", 1, 1)), accepted()),
        (finding(), accepted("File/base/app.yaml")),
    ],
    ids=[
        "rule",
        "name",
        "namespace",
        "kind",
        "no namespace",
        "overlay",
        "file of another overlay",
        "file of an object",
    ],
)
def test_an_exception_silences_nothing_else(one: Finding, exception: Accepted) -> None:
    """What is only near is told, and the exception too."""
    outcome = judged([one], exception)
    assert outcome.kept == [one] and [rule for rule, _ in reported(outcome)] == ["exception-unused"]


@pytest.mark.parametrize(
    "one",
    [
        finding(subject=None),
        finding(subject=Subject("Secret", "shop", "")),
        finding(subject=Subject("Secret", "a/b", "c d")),
    ],
    ids=["none", "nameless", "odd"],
)
def test_a_finding_whose_object_has_no_name_is_accepted_by_its_file(one: Finding) -> None:
    """File/ and the path from the project's root; also where the object's name fits no exception."""
    assert judged([one], accepted("File/base/app.yaml")).silenced == 1


def test_a_finding_of_no_file_is_accepted_as_the_project() -> None:
    """Every finding has a name by which it can be accepted."""
    assert judged([finding(subject=None, place=None)], accepted("File/.")).silenced == 1


def test_a_finding_of_no_overlay_is_accepted_by_any_that_reaches_its_file() -> None:
    """A base belongs to all of its overlays; a file that belongs to none may be accepted by each."""
    beside = finding(place=Place("keys/old.pem"))
    assert judged([finding()], accepted(overlay="test")).silenced == 1
    assert judged([beside], accepted(overlay="test")).silenced == 1


def test_wrong_exceptions_are_findings_and_silence_nothing() -> None:
    """One past its date, for a plaintext Secret without a date, of no rule, or of a rule about exceptions."""
    wrong = [
        accepted(until="2026-06-29"),
        accepted(rule="plaintext-secret"),
        accepted(rule="not-saeled"),
        accepted(rule="exception-unused"),
    ]
    outcome = judged([finding(), finding(rule="plaintext-secret")], *wrong)
    assert outcome.silenced == 0
    assert reported(outcome) == [
        ("exception-unknown-rule", 'no rule is named "not-saeled"'),
        ("exception-unknown-rule", "a finding of exception-unused can't be silenced"),
        ("exception-expired", "the exception for not-sealed ended with 2026-06-29"),
        ("exception-without-until", "an exception for plaintext-secret needs a last day"),
    ]


def test_the_last_day_of_an_exception_is_its_own() -> None:
    """`until` is the last day on which it holds."""
    assert judged([finding()], accepted(until="2026-06-30")).silenced == 1


def test_an_unused_exception_names_the_object_that_may_be_meant() -> None:
    """Of those that the rule found something of."""
    outcome = judged([finding()], accepted("Secret/shop/bakend"))
    assert [result.hint for result in check(outcome, exceptions.RULES)] == ['did you mean "Secret/shop/backend"?']


def test_nothing_is_unused_of_a_rule_that_had_not_all_to_look_at() -> None:
    """Some overlays alone, or no values: what it is for may only not have been found."""
    assert reported(judged([], accepted(), complete=False)) == []


TEXT = """\
# ksecret: ignore[first] at the top
a: 1  # ksecret: ignore[second] at the end
b: |  # ksecret: ignore[third] behind the sign of a block
  c: 1  # ksecret: ignore[text] in a block
d: "# ksecret: ignore[text] in quotes"
e: &e
  # ksecret: ignore[fourth] two above
    # ksecret:ignore[fifth] one line
  - x
f: *e # ksecret: ignore no brackets
g: plain# ksecret:ignore[text] no space before
h: 1 # ksecret: ignore[sixth]
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_comments_are_read_where_yaml_has_comments(line_end: str) -> None:
    """At the end of a line for that line, alone for the next line that is none itself; in texts there are none."""
    comments = {
        comment.rule: (comment.line, comment.reason) for comment in of_text(TEXT.replace("\n", line_end), "a.yaml")
    }
    assert comments == {
        "first": (2, "at the top"),
        "second": (2, "at the end"),
        "third": (3, "behind the sign of a block"),
        "fourth": (9, "two above"),
        "fifth": (9, "one line"),
        "": (10, "no brackets"),
        "sixth": (12, ""),
    }


@pytest.mark.parametrize("text", ["a: &a [*a] # ksecret: ignore[x] y\n", "a: [ # ksecret: ignore[x] y\n", "", "# \0"])
def test_odd_files_have_no_exceptions_or_their_own(text: str) -> None:
    """A circle, what is no YAML, nothing at all: no traceback."""
    assert len(of_text(text, "a.yaml")) == ("*" in text)


def test_a_comment_silences_in_its_line_alone() -> None:
    """The place of a finding says which."""
    one, other = finding(), finding(place=AT._replace(line=4))
    stated = of_text("a:\n b:\n  c: # ksecret: ignore[not-sealed] known\n", AT.file)
    outcome = judged([one, other], *stated)
    assert (outcome.kept, reported(outcome)) == ([other], [])


def test_a_comment_that_is_wrong_is_a_finding_at_its_place() -> None:
    """Without a reason, of no rule, for what needs a date, or of no use."""
    text = """\
a: 1 # ksecret: ignore[not-sealed]
b: 1 # ksecret: ignore nothing
c: 1 # ksecret: ignore[plaintext-secret] known
d: 1 # ksecret: ignore[not-sealed] known
"""
    outcome = judged([], *of_text(text, "a.yaml"))
    assert [(result.rule, *(result.place or ())[1:]) for result in check(outcome, exceptions.RULES)] == [
        ("exception-unused", 4, 24),
        ("exception-unknown-rule", 2, 6),
        ("exception-without-until", 3, 24),
        ("exception-without-reason", 1, 24),
    ]


def shop(folder: Path, **spec: Any) -> Project:
    """An overlay with a Secret of two keys, none of them sealed."""
    project = Project(folder)
    project.declare("app", {"one": {}, "two": {}})
    project.sealed_overlay(**spec)
    return project


def items(out: str) -> list[tuple[str, int]]:
    """Rule and line of the findings that these tests are about, of JSON."""
    listed = json.loads(out)["items"]
    return [(e["rule"], e["line"]) for e in listed if e["rule"] == "not-sealed" or e["rule"].startswith("exception-")]


NOT_SEALED = [{"rule": "not-sealed", "object": "SealedSecret/app", "reason": "not yet"}]


def test_how_many_are_silenced_is_told(tmp_path: Path) -> None:
    """On standard error, and in JSON as a field."""
    project = shop(tmp_path, exceptions=NOT_SEALED)
    assert "2 findings are silenced by exceptions\n" in project.ksecret("check").err
    done = project.ksecret("check", "-o", "json")
    assert (items(done.out), json.loads(done.out)["silenced"]) == ([], 2)


def test_a_comment_in_a_declaration_silences_one_key(tmp_path: Path) -> None:
    """A finding of a declared key stands in the declaration."""
    project = shop(tmp_path)
    text = (project.root / "generators/app.yaml").read_text()
    project.write("generators/app.yaml", text.replace("one: {}", "one: {}  # ksecret: ignore[not-sealed] not yet"))
    assert items(project.ksecret("check", "-o", "json").out) == [("not-sealed", 8)]


def test_an_exception_is_not_unused_where_its_overlay_or_rule_was_left_out(tmp_path: Path) -> None:
    """It is told where all is checked."""
    value = {"rule": "value-missing", "object": "SecretDeclaration/app", "reason": "not yet"}
    unused = {"rule": "unreadable-file", "object": "File/overlays/old.yaml", "reason": "old"}
    project = shop(tmp_path, exceptions=[*NOT_SEALED, value, unused])
    wrong = {"rule": "no-such-rule", "object": "File/x", "reason": "old"}
    project.sealed_overlay("eu", exceptions=[wrong])
    project.write(".env", "ONE=1\nTWO=2\n")

    def about(*arguments: str) -> list[str]:
        listed = items(project.ksecret("check", "-o", "json", *arguments).out)
        return [rule for rule, _ in listed if rule != "not-sealed"]

    assert about("prod") == []
    assert about() == ["exception-unused", "exception-unknown-rule"]
    assert about("--with-values") == ["exception-unused", "exception-unused", "exception-unknown-rule"]


def test_write_exceptions_lets_an_old_project_in(tmp_path: Path) -> None:
    """One entry a rule and object; what is written is told, comments stay, and a check finds nothing afterwards."""
    project = shop(tmp_path)
    project.sealed_overlay("eu")
    file = "overlays/prod/secrets/ksecret.yaml"
    project.write(file, "# ours\n" + (project.root / file).read_text() + "  # the end\n")
    project.write("overlays/prod/kustomization.yaml", "resources: [secrets]\n")
    project.write("overlays/eu/kustomization.yaml", "resources: [secrets]\n")
    project.done("render", "--write")
    project.write("overlays/prod/old.yaml", "a: [\n")
    before = project.files()
    printed = project.done("check", "--write-exceptions", "--reason", "from before: all of it", "--until", "2999-01-31")
    assert f"{file}: not-sealed of SealedSecret/shop-prod/app\n" in printed
    assert f"{file}: unreadable-file of File/overlays/prod/old.yaml\n" in printed
    assert printed.count("not-sealed of") == 2
    assert project.changed_since(before) == {file, "overlays/eu/secrets/ksecret.yaml"}
    text = (project.root / file).read_text()
    assert text.startswith("# ours\n") and text.endswith("  # the end\n")
    assert '    reason: "from before: all of it"\n    until: "2999-01-31"\n' in text
    done = project.ksecret("check", "-o", "json")
    assert (done.code, json.loads(done.out)["items"]) == (0, [])
    again = project.ksecret("check", "--write-exceptions", "--reason", "again")
    assert (again.code, again.out) == (0, "")


def test_a_plaintext_secret_is_not_accepted_without_a_last_day() -> None:
    """A value in the repository is a leak that must end."""
    findings = [finding(rule="plaintext-secret")]
    with pytest.raises(InputError, match="needs a last day"):
        refuse(findings, "", "2026-06-30")
    refuse(findings, "2026-06-30", "2026-06-30")
    refuse([finding()], "", "2026-06-30")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--write-exceptions"],
        ["--write-exceptions", "--reason", " "],
        ["--write-exceptions", "--reason", "x", "--until", "tomorrow"],
        ["--write-exceptions", "--reason", "x", "--until", "2020-01-01"],
        ["--write-exceptions", "--reason", "x", "--fix"],
        ["--reason", "x"],
        ["--fix", "--built", "-"],
    ],
)
def test_what_can_not_be_asked_for_changes_nothing(tmp_path: Path, arguments: list[str]) -> None:
    """Without a reason, with a date that is none or over, or with what excludes it."""
    project = shop(tmp_path)
    before = project.files()
    assert project.ksecret("check", *arguments).code == 2
    assert project.changed_since(before) == set()


def test_a_finding_about_an_exception_is_told_not_accepted(tmp_path: Path) -> None:
    """It can't be silenced; the command has still done what it could."""
    project = shop(tmp_path, exceptions=[{"rule": "not-saeled", "object": "SealedSecret/app", "reason": "not yet"}])
    done = project.ksecret("check", "--write-exceptions", "--reason", "from before")
    assert done.code == 0 and 'no rule is named "not-saeled" [exception-unknown-rule]' in done.err
    assert "exception-unknown-rule" not in done.out
    assert items(project.ksecret("check", "-o", "json").out) == [("exception-unknown-rule", 17)]


def test_nothing_is_written_if_one_overlay_can_not_be_edited(tmp_path: Path) -> None:
    """All or none."""
    project = shop(tmp_path)
    project.sealed_overlay("qa", exceptions=[{"rule": "not-sealed", "object": "SealedSecret/x", "reason": "old"}])
    file = project.root / "overlays/qa/secrets/ksecret.yaml"
    file.write_text(file.read_text().replace("exceptions:", "exceptions: &all"))
    before = project.files()
    done = project.ksecret("check", "--write-exceptions", "--reason", "from before")
    assert (done.code, done.out, project.changed_since(before)) == (2, "", set())
    assert "spec.exceptions can't be edited here without a risk" in done.err
