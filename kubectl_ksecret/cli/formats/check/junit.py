"""Findings as JUnit XML, as continuous integration servers read it."""

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ....checks import Finding
from .report import Report

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(report: Report) -> str:
    """Return a test that fails for each finding, and one that passes for each rule that found nothing."""
    matches = {finding.rule for finding in report.findings}
    clean = [rule.name for rule in report.rules if rule.name not in matches]
    counts = {"tests": str(len(report.findings) + len(clean)), "failures": str(len(report.findings)), "errors": "0"}
    suites = Element("testsuites", {"name": "kubectl ksecret check", **counts})
    suite = SubElement(suites, "testsuite", {"name": "kubectl ksecret check", **counts})
    for finding in report.findings:
        _failed(report, finding, suite)
    for name in clean:
        SubElement(suite, "testcase", classname=name, name=name)
    indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(suites, encoding="unicode")}\n'


def _failed(report: Report, finding: Finding, suite: Element) -> None:
    path, line, message = report.path(finding), report.line(finding), _xml(finding.message)
    case = SubElement(suite, "testcase", classname=finding.rule, name=message)
    if path:
        case.set("file", _xml(path))
    if line:
        case.set("line", str(line))
    failure = SubElement(case, "failure", type=finding.severity, message=message)
    failure.text = _xml(str(finding))


def _xml(text: str) -> str:
    """Return the text without the characters that XML has no way to write."""
    return _NOT_XML.sub("?", text)
