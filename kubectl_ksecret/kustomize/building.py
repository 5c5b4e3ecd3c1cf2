"""Builds kustomizations with kubectl's own kustomize, side by side; nothing that the repository names is run."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from .. import yamlio
from ..errors import InputError, Mistake, Refusal
from ..objects.documents import KUSTOMIZATION_FILE, Document, mapping, read

ORIGIN = "config.kubernetes.io/origin"
_BUILDERS = (("kubectl", "kustomize"), ("kustomize", "build"))
_UNRESTRICTED = ("--load-restrictor", "LoadRestrictionsNone")
# A second wall behind the refusal of remote files: no protocol for Git, and a proxy that nobody listens at.
_NOWHERE = "http://127.0.0.1:9"
_NO_NETWORK = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _NOWHERE),
    "no_proxy": "",
    "NO_PROXY": "",
}
# How kustomize's messages begin or what they hold, and what we say: it may quote a Secret's values in its own words.
_PLUGINS = ("external plugins disabled", "--enable-exec", "enable-alpha-plugins")
_HELM = "must specify --enable-helm"
_RESTRICTED = "is not in or below"
_REASONS = (
    (_PLUGINS, "it runs a function, which a check never does", "kustomize build --enable-alpha-plugins --enable-exec"),
    ((_HELM,), "it inflates a Helm chart, which a check never does", "kustomize build --enable-helm"),
    (
        (_RESTRICTED,),
        "a file that it reads lies outside of its folder",
        "kustomize build --load-restrictor LoadRestrictionsNone",
    ),
    (("cycle detected",), "kustomizations list each other in a circle", ""),
    (("may not add resource with an already registered id",), "it holds one object twice", ""),
    (("missing metadata.name",), "an object in it has no metadata.name", ""),
    (("no matches for Id", "unable to find patch target", "failed to find unique target"), "a patch has no target", ""),
    (("no such file", "doesn't exist", "not a directory", "not a valid directory"), "a file of it does not exist", ""),
    (("unable to find one of",), "a folder that it lists has no kustomization.yaml", ""),
    (("json: unknown field", "invalid Kustomization", "error unmarshaling"), "it has a field that is unknown", ""),
    (
        ("yaml:", "MalformedYAMLError", "error converting YAML", "cannot unmarshal"),
        "a file of it is not valid YAML",
        "",
    ),
    (("git fetch", "git clone", "no 'git' program", "lookup ", "dial tcp"), "a remote file can't be fetched", ""),
)


class Request(NamedTuple):
    """What is to be built: a folder, which may be a component, with the origins of its objects or without."""

    folder: str
    is_component: bool = False
    origins: bool = False
    unrestricted: bool = False
    allow_remote: bool = False


class BuildOutcome(NamedTuple):
    """A build, or why there is none and a command that builds; `above` is where the paths of origins start."""

    text: str = ""
    above: str = ""
    reason: str = ""
    remedy: str = ""

    @property
    def is_restricted(self) -> bool:
        """Whether kustomize's restriction on files is what stops the build."""
        return "LoadRestrictionsNone" in self.remedy


def build(
    requests: Sequence[Request], timeout: float, meanwhile: Callable[[], object] | None = None
) -> list[BuildOutcome]:
    """Build all of these side by side, each in `timeout` seconds at most, and do something `meanwhile`.

    Raises:
        Refusal: there is neither kubectl nor kustomize.
    """
    if not requests:
        return []
    workers = min(len(requests), os.cpu_count() or 1)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        outcomes = pool.map(lambda request: _build(request, timeout), requests)
        if meanwhile is not None:
            meanwhile()
        return list(outcomes)


def _build(request: Request, timeout: float) -> BuildOutcome:
    with tempfile.TemporaryDirectory() as folder:
        above = os.path.realpath(folder)
        target = request.folder
        if request.is_component or request.origins:
            # The user's kustomization stays as it is: one above it asks for the origins, and lists a component.
            relative = os.path.relpath(request.folder, above)
            listing = {"components" if request.is_component else "resources": [relative]}
            options = {"buildMetadata": ["originAnnotations"]} if request.origins else {}
            with open(os.path.join(above, KUSTOMIZATION_FILE), "w", encoding="utf-8") as file:
                file.write(yamlio.dump([{**listing, **options}]))
            target = above
        return _run(request, target, timeout)._replace(above=above)


def _run(request: Request, target: str, timeout: float) -> BuildOutcome:
    environment = os.environ if request.allow_remote else {**os.environ, **_NO_NETWORK}
    restriction = _UNRESTRICTED if request.unrestricted else ()
    for program in _BUILDERS:
        try:
            # A process group of its own: what kustomize starts, such as git, ends with it.
            child = subprocess.Popen(
                [*program, *restriction, target],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except FileNotFoundError:
            continue
        try:
            output, error = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            return BuildOutcome(reason=f"it takes longer than {timeout:g} seconds; --timeout allows more")
        finally:
            with suppress(ProcessLookupError):
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.communicate()
        if child.returncode == 0:
            return BuildOutcome(text=output.decode(errors="replace"))
        return _failure(error.decode(errors="replace"))
    raise Refusal(
        Mistake("neither kubectl nor kustomize is on the PATH", hint="or give a build: kubectl ksecret check --built -")
    )


def _failure(error: str) -> BuildOutcome:
    """Return why a build failed, in our words."""
    for signs, reason, remedy in _REASONS:
        if any(sign in error for sign in signs):
            return BuildOutcome(reason=reason, remedy=remedy)
    return BuildOutcome(reason="kustomize refuses it")


def objects_of(text: str, file: str) -> list[Document]:
    """Return the objects of a build by kustomize, of which nobody knows yet where they were written."""
    try:
        values = yamlio.load(text, file)
    except InputError:
        return given(text, file)  # the strict reader, which is three times as fast, takes no alias
    documents = (value for value in values if isinstance(value, dict) and isinstance(value.get("kind"), str))
    return [Document(file, None, value) for value in documents]


def given(text: str, file: str) -> list[Document]:
    """Return the objects of a build that somebody else made, with their places in it."""
    return read(text, file)


def origin_of(document: Document) -> dict[str, object]:
    """Return what kustomize says of where an object came from, and take it off the object."""
    annotations = document.annotations
    stated = annotations.pop(ORIGIN, None)
    if not annotations:
        document.metadata.pop("annotations", None)
    loaded = yamlio.load(stated, ORIGIN) if isinstance(stated, str) else []
    return mapping(loaded[0]) if loaded else {}
