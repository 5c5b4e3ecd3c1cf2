"""kustomize build through ksecret-fn: beside an empty function in Python, and beside `cat` of what it prints."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from . import tools
from .measure import NOWHERE, Bound, Job, Line, compare, run
from .projects import KEYS, Project

BACKENDS = ("sealedSecret", "externalSecret")
EMPTY_FUNCTION = Bound(2.75)
CAT = {100: (Bound(1.5), 10), 1000: (Bound(1.3), 20)}


def lines(programs: Path, folder: Path) -> Iterator[Line]:
    """One Secret, a hundred, a thousand: of committed ciphertext, and ExternalSecrets."""
    ours = tools.path_with(folder / "ours", programs / "ksecret-fn")
    empty = tools.path_with(folder / "empty", programs / "empty-fn")
    for backend in BACKENDS:
        project = _committed(programs, folder / f"{backend}-1", 1, backend)
        subject = f"build 1 {backend} of {KEYS} keys, beside an empty function in Python"
        yield compare(subject, _build(project, ours), _build(project, empty), EMPTY_FUNCTION, 8)
    for count, (bound, seconds) in CAT.items():
        for backend in BACKENDS:
            project = _committed(programs, folder / f"{backend}-{count}", count, backend)
            function, cat = programs / "ksecret-fn", _cat(programs, project)
            beside = tools.path_with(project.root / "bin", cat)
            _must_build_the_same(project, ours, beside)
            subject = f"build {count:,} {backend}s of {KEYS} keys, beside cat"
            yield compare(subject, _build(project, ours), _build(project, beside), bound, seconds)
            yield compare("  the function alone", _alone(project, function), _alone(project, cat), seconds=2)


def _committed(programs: Path, root: Path, count: int, backend: str) -> Project:
    """A project in whose overlay everything is sealed and written."""
    project = Project(root, count, backend)
    command = ("render", "--write") if backend == "externalSecret" else ("seal", "bench", *project.accept)
    run(programs / "kubectl-ksecret", *command, folder=root)
    return project


def _build(project: Project, variables: Mapping[str, str], output: Path = NOWHERE) -> Job:
    kustomize = (tools.peer("kustomize"), "build", "--enable-alpha-plugins", "--enable-exec")
    return lambda: run(*kustomize, project.overlay, folder=project.root, variables=variables, output=output)


def _cat(programs: Path, project: Project) -> Path:
    """A program that prints what ksecret-fn prints."""
    printed, script = project.root / "printed.json", project.root / "cat"
    run(programs / "ksecret-fn", folder=project.overlay, given=project.resource_list, output=printed)
    script.write_text(f"#!/bin/sh\nexec cat '{printed}'\n")
    script.chmod(0o755)
    return script


def _alone(project: Project, function: Path) -> Job:
    return lambda: run(function, folder=project.overlay, given=project.resource_list)


def _must_build_the_same(project: Project, *functions: Mapping[str, str]) -> None:
    built = [project.root / f"built-{number}.yaml" for number in range(len(functions))]
    for variables, output in zip(functions, built, strict=True):
        _build(project, variables, output)()
    if len({output.read_bytes() for output in built}) != 1:
        raise SystemExit("the functions that are compared print different objects")
