"""Findings for machines: JUnit's XML, and annotations of GitHub's workflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from archscope.budgets.bounds import Finding


def junit(findings: Mapping[str, Sequence[Finding]]) -> str:
    """A test suite for each model, a test case for each bound."""
    root = ElementTree.Element("testsuites", name="archscope check")
    for model, found in findings.items():
        missed = sum(not finding.kept for finding in found)
        suite = ElementTree.SubElement(
            root, "testsuite", name=model, tests=str(len(found)), failures=str(missed)
        )
        for finding in found:
            case = ElementTree.SubElement(
                suite, "testcase", classname=model, name=str(finding.bound)
            )
            if not finding.kept:
                ElementTree.SubElement(case, "failure", message=finding.message)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def github(findings: Mapping[str, Sequence[Finding]]) -> str:
    """A workflow command for each bound that is missed; GitHub shows it at the pull request."""
    lines = [
        f"::error title={_property(f'archscope: {model}')}::{_data(finding.message)}"
        for model, found in findings.items()
        for finding in found
        if not finding.kept
    ]
    return "".join(f"{line}\n" for line in lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
