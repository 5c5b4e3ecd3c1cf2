"""Findings as SARIF 2.1.0, as code scanning services read it."""

import json
from inspect import cleandoc
from urllib.parse import quote

from .... import __version__
from ....checks import Finding, Rule
from ....files.installation import document_uri
from .report import Report, message_with_hint

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"


def text(report: Report) -> str:
    """Return one run; files are named from the repository's root, wherever that is."""
    rules = {rule.name: index for index, rule in enumerate(report.rules)}
    run = {
        "tool": {
            "driver": {
                "name": "kubectl-ksecret",
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in report.rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "results": [_result(report, finding, rules) for finding in report.findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: Rule) -> dict[str, object]:
    fault, _, why = cleandoc(rule.find.__doc__ or rule.name).partition("\n\n")
    document = document_uri("rules.md")
    return {
        "id": rule.name,
        **({"helpUri": f"{document}#{rule.name}"} if document else {}),
        "shortDescription": {"text": fault},
        "fullDescription": {"text": f"{fault} {why}".strip()},
        "help": {"text": f"{fault}\n\n{why}", "markdown": f"{fault}\n\n{why}"},
        "defaultConfiguration": {"level": rule.severity},
        "properties": {"tags": ["kubernetes", "secrets"]},
    }


def _result(report: Report, finding: Finding, rules: dict[str, int]) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "level": finding.severity,
        "message": {"text": message_with_hint(finding)},
        "locations": [_location(report, finding)],
        "properties": {"field": finding.field, "overlay": finding.overlay},
    }
    if finding.rule in rules:
        result["ruleIndex"] = rules[finding.rule]
    return result


def _location(report: Report, finding: Finding) -> dict[str, object]:
    location: dict[str, object] = {}
    if path := report.path(finding):
        physical: dict[str, object] = {"artifactLocation": {"uri": quote(path), "uriBaseId": _ROOT}}
        if line := report.line(finding):
            column = report.column(finding)
            physical["region"] = {"startLine": line, "startColumn": column} if column else {"startLine": line}
        location["physicalLocation"] = physical
    if finding.subject:
        name = "/".join(filter(None, finding.subject))
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "resource"}]
    return location
