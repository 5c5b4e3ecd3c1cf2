"""The output formats of `kubectl ksecret check`: each says the same, in the way that its reader takes it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from sarif_kit.validate import validation_errors

from kubectl_ksecret.checks import Finding, Severity, rules
from kubectl_ksecret.cli.formats.check import FORMATS, Report, terminal, text
from kubectl_ksecret.cli.formats.check.drawing import Drawing, drawings
from kubectl_ksecret.errors import Place
from kubectl_ksecret.model.kubernetes import Subject

from .projects import Project, shop

PLACE = Place("a.yaml", 3, 5)
HOSTILE = "a\x1b[31m\x00\nerror: %0A, \ufffe <![CDATA[ ]]> & \U0001f511 \x85::error::x ##[warning]y"


def finding(
    severity: Severity = "error", message: str = "wrong", place: Place | None = PLACE, hint: str = ""
) -> Finding:
    """A finding of a rule that there is."""
    subject = Subject("Secret", "shop", "app")
    return Finding(
        rule="not-sealed", severity=severity, message=message, place=place, hint=hint, subject=subject, overlay="prod"
    )


def report(*findings: Finding, folder: str = "/shop", **fields: Any) -> Report:
    """A report of a project in /shop."""
    overlays = {"prod": "overlays/prod/secrets/ksecret.yaml", "test": "overlays/test/secrets/ksecret.yaml"}
    all_rules = rules.OF_REPOSITORY
    return Report(findings=findings, rules=all_rules, root="/shop", folder=folder, overlays=overlays, **fields)


def sarif(judged: Report) -> Any:
    """The run of a SARIF log that must be valid by the schema of OASIS."""
    log = json.loads(text(judged, "sarif"))
    assert validation_errors(log) == []
    return log["runs"][0]


def physical(judged: Report) -> Any:
    """The place of the only result."""
    [result] = sarif(judged)["results"]
    return result["locations"][0]["physicalLocation"]


def test_nothing_found_is_an_empty_list_of_results_by_all_rules() -> None:
    """A service that shows a result closes it when it is no longer in the list."""
    run = sarif(report())
    assert run["results"] == []
    driver = run["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == [rule.name for rule in rules.OF_REPOSITORY]
    docs = (Path(__file__).parents[1] / "docs" / "rules.md").read_text()
    assert [rule["id"] for rule in driver["rules"] if rule["help"]["markdown"] not in docs] == []


def test_a_sarif_result_has_its_rule_level_object_and_place() -> None:
    """The index leads to the rule; the hint is part of the message."""
    run = sarif(report(finding("note", hint="seal it")))
    [result] = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "not-sealed"
    assert (result["level"], result["message"]["text"]) == ("note", "wrong\nhint: seal it")
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a.yaml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 3, "startColumn": 5},
            },
            "logicalLocations": [{"fullyQualifiedName": "Secret/shop/app", "kind": "resource"}],
        }
    ]


def test_files_are_named_from_the_root_of_the_repository() -> None:
    """Whatever folder the command runs in, and as a URI."""
    assert physical(report(finding(), folder="/shop/overlays"))["artifactLocation"]["uri"] == "overlays/a.yaml"
    above = finding(place=Place("../b c.yaml", 1, 1))
    assert physical(report(above, folder="/shop/overlays"))["artifactLocation"]["uri"] == "b%20c.yaml"
    absolute = finding(place=Place("/shop/x/ä.yaml", 1, 1))
    assert physical(report(absolute, folder="/elsewhere"))["artifactLocation"]["uri"] == "x/%C3%A4.yaml"


@pytest.mark.parametrize(
    "place", [None, Place("standard input", 4, 2), Place("/tmp/build.yaml", 4, 2), Place("../x", 4, 2)]
)
def test_what_is_found_in_no_file_of_the_repository_is_shown_at_its_overlay(place: Place | None) -> None:
    """A code scanning service takes no result without a file, and knows no file but the repository's."""
    location = {"artifactLocation": {"uri": "overlays/prod/secrets/ksecret.yaml", "uriBaseId": "%SRCROOT%"}}
    judged = report(finding(place=place))
    assert physical(judged) == location
    assert "::error file=overlays/prod/secrets/ksecret.yaml,title=not-sealed::wrong\n" in text(judged, "github")


def test_a_place_that_is_a_whole_file_or_line_counts_from_one_nowhere() -> None:
    """SARIF's lines and columns begin at 1: 0 is left out."""
    assert "region" not in physical(report(finding(place=Place("a.yaml"))))
    assert physical(report(finding(place=Place("a.yaml", 2, 0))))["region"] == {"startLine": 2}


def test_junit_has_a_failure_for_each_finding_and_a_test_that_passes_for_each_other_rule() -> None:
    """So a clean run has tests too."""
    suite = ElementTree.fromstring(text(report(finding(hint="seal it"), finding("note")), "junit"))[0]
    failed = [case for case in suite if case.find("failure") is not None]
    clean = [case.get("name") for case in suite if case.find("failure") is None]
    assert clean == [rule.name for rule in rules.OF_REPOSITORY if rule.name != "not-sealed"]
    assert (suite.get("tests"), suite.get("failures")) == (str(len(suite)), "2")
    assert failed[0].attrib == {"classname": "not-sealed", "name": "wrong", "file": "a.yaml", "line": "3"}
    failure = failed[0].find("failure")
    assert failure is not None and failure.attrib == {"type": "error", "message": "wrong"}
    assert failure.text == "error: a.yaml:3:5: wrong [not-sealed]\nhint: seal it"


def test_github_gets_ten_annotations_errors_first_and_then_the_totals() -> None:
    """What is left stands in the log as text; a note is a notice."""
    findings = [finding("note", "n"), *(finding("warning", f"w{i}") for i in range(8)), *(finding(hint="h"),) * 3]
    lines = text(report(*findings), "github").splitlines()
    assert lines[0] == "::error file=a.yaml,line=3,col=5,title=not-sealed::wrong%0Ahint: h"
    assert [line[:9] for line in lines[:10]] == ["::error f"] * 3 + ["::warning"] * 7
    assert lines[10:] == [
        "warning: a.yaml:3:5: w7 [not-sealed]",
        "note: a.yaml:3:5: n [not-sealed]",
        "3 errors, 8 warnings, 1 note",
    ]
    assert text(report(finding("note")), "github").startswith("::notice file=")
    assert text(report(), "github") == "no findings\n"


def test_a_files_name_can_not_end_a_github_property() -> None:
    """Commas, colons and percent signs are escaped."""
    annotation = text(report(finding(place=Place("a,b:c%.yaml", 1, 1))), "github")
    assert annotation.startswith("::error file=a%2Cb%3Ac%25.yaml,line=1,")


def test_a_strangers_name_begins_no_line_and_no_command() -> None:
    """Nor does it move the cursor, or break the XML."""
    hostile = finding(message=HOSTILE, hint=HOSTILE)
    lines = text(report(*[hostile] * 11), "github").splitlines()
    assert [line[:9] for line in lines] == ["::error f"] * 10 + ["error: a.", "hint: a?[", "11 errors"]
    assert not any("##[" in line for line in lines[10:])
    for plain in (text(report(hostile), "text"), terminal.text(report(hostile), lambda _: None, colour=False)):
        assert re.search("[\x00\x1b\x85]", plain) is None
        assert [line[:5] for line in plain.splitlines() if line[:5] != "1 err"][:2] == ["error", "hint:"]
    case = ElementTree.fromstring(text(report(hostile), "junit"))[0][0]
    assert case.get("name") == HOSTILE.replace("\x1b", "?").replace("\x00", "?").replace("\ufffe", "?")
    assert sarif(report(hostile))["results"][0]["message"]["text"].startswith("a\x1b")


YAML = """\
kind: Deployment
metadata:
  name: app
spec:
  - name: app # MARK
    env: [{name: TOKEN, value: MARK}]
    name: &x MARK
    ref: {key: tokn, other: MARK}
    key: *x
    args:
    - MARK
    password:
      MARK
    script: |
      key: MARK
---
kind: Secret
metadata: {name: app}
stringData: {name: MARK}
data:
  key: MARK
key: MARK
---
kind: Other
data:
  key: MARK
parameters: {name: MARK}
---
kind: Kustomization
resources:
- ../base
secretGenerator:
- name: app
  literals: [name=MARK]
other:
- MARK
pair: {password: &y MARK, name: *y}
"""


def drawn(line: int, column: int, content: str = YAML) -> Drawing | None:
    """What is drawn of a place in a YAML file."""
    return drawings(lambda _: content)(Place("a.yaml", line, column))


def places(content: str) -> Iterator[tuple[int, int]]:
    """Every place of a text, and some outside of it."""
    for line, shown in enumerate(("", *content.splitlines(), "")):
        yield from ((line, column) for column in range(len(shown) + 3))


def test_the_name_of_a_field_is_drawn_and_what_it_names() -> None:
    """With the caret below the place; what else stands in the line is left out."""
    assert drawn(3, 3) == Drawing("  name: app", 2)
    assert drawn(3, 9) == Drawing("  name: app", 8)
    assert drawn(8, 16) == Drawing("          key: tokn", 15)
    assert drawn(6, 32) == Drawing("                        value: …", 31)
    assert drawn(31, 3) == Drawing("  ../base", 2)


def test_no_place_of_any_yaml_draws_what_may_be_a_value() -> None:
    """Not that of an alias, a comment, a neighbour in the line or a Secret's field of a harmless name."""
    content = YAML.replace("name: &x MARK", "password: &x MARK")
    shown = [drawing.text for place in places(content) if (drawing := drawn(*place, content))]
    assert len(shown) > 50
    assert [line for line in shown if "MARK" in line] == []


def test_only_yaml_that_can_be_read_is_drawn() -> None:
    """A dotenv file or a key is never even opened."""

    def refuse(file: str) -> str:
        raise AssertionError(file)

    assert drawings(refuse)(Place(".env", 1, 1)) is None
    assert drawn(1, 1, "kind: [") is None


def test_a_long_line_is_cut_around_its_place() -> None:
    """And a control character in a name is not sent to the terminal."""
    drawing = drawn(1, 203, f'{"k" * 200}: "x"')
    assert drawing is not None and (len(drawing.text), drawing.text[drawing.caret]) == (51, "…")
    assert drawn(1, 53, f'{"k" * 50}: "x"') == Drawing(f"{'k' * 50}: …", 52)
    odd = drawn(1, 1, '"a\\eb": 1')
    assert odd is not None and odd.text.startswith("a?b")


def broken_shop(folder: Path) -> Project:
    """A project with an error, a key that is not sealed."""
    project = shop(folder)
    project.write("overlays/prod/kustomization.yaml", "resources: [secrets]\nnamespace: shop-prod\n")
    project.done("seal", "prod")
    project.declare("app", {"token": {}, "password": {}, "more": {}})
    return project


def test_a_terminal_gets_the_place_drawn_and_the_totals(tmp_path: Path) -> None:
    """In colour, unless NO_COLOR is set; a pipe gets a line a finding."""
    project = broken_shop(tmp_path)
    first = "error: generators/app.yaml:9:5: app/more is not sealed in prod [not-sealed]"
    drawing = ["    9 |     more: …", "      |     ^"]
    hint = "hint: run: kubectl ksecret seal prod"
    done = project.on_terminal("check")
    assert "\x1b[31m\x1b[1merror:\x1b[0m generators" in done.out and "\x1b[31m\x1b[1m^\x1b[0m" in done.out
    project.environment["NO_COLOR"] = "1"
    done = project.on_terminal("check")
    assert (done.code, done.out.splitlines()) == (1, [first, *drawing, hint, "", "1 error"])
    assert project.ksecret("check") == (1, f"{first}\n{hint}\n", "")


@pytest.mark.parametrize("output", FORMATS)
def test_the_exit_code_is_the_same_in_every_format(tmp_path: Path, output: str) -> None:
    """What can't be read is no 0, and nothing that a program would take for a result is printed."""
    project = broken_shop(tmp_path)
    assert project.ksecret("check", "-o", output).code == 1
    broken = project.write("generators/broken.yaml", "kind: [")
    done = project.ksecret("check", "-o", output)
    assert (done.code, done.out, "not valid YAML" in done.err) == (2, "", True)
    broken.unlink()
    project.write("overlays/prod/deployment.yaml", "kind: [")
    assert project.ksecret("check", "-o", output).code == 1
    assert project.ksecret("check", "-o", output, "generators").code == 2
    project.write("overlays/prod/deployment.yaml", "")
    project.done("seal", "prod", "-f", "-", stdin=VALUE)
    done = project.ksecret("check", "-o", output)
    assert (done.code, done.err) == (0, "")


VALUE = "apiVersion: v1\nkind: Secret\nmetadata: {name: app}\nstringData: {more: a new value}\n"


def test_a_run_in_a_folder_names_files_for_the_service_from_the_root(tmp_path: Path) -> None:
    """The real command; its SARIF is valid."""
    project = broken_shop(tmp_path)
    project.root /= "overlays"
    log = json.loads(project.ksecret("check", "-o", "sarif", "prod").out)
    assert validation_errors(log) == []
    [result] = log["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "generators/app.yaml"
    assert project.ksecret("check", "prod").out.startswith("error: ../generators/app.yaml:9:5: ")
