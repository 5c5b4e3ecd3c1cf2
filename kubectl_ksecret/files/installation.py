"""How this tool was installed, so that a hint about a missing part of it works where it is read."""

import json
import os
import sys

_NAME = "kubectl-ksecret"


def extra(name: str) -> str:
    """Return the command that installs one of the extras that setup.cfg has, such as `azure`.

    No index has this package under its name, so the requirements themselves are installed where nothing says where it
    came from.
    """
    from importlib import metadata
    from urllib.parse import unquote, urlsplit

    distribution = metadata.distribution(_NAME)
    if os.path.exists(os.path.join(sys.prefix, "pipx_metadata.json")):
        return f"pipx inject {_NAME} {' '.join(_requirements(distribution.requires or (), name))}"
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    url = urlsplit(str(origin.get("url", "")))
    path = unquote(url.path)
    if url.scheme == "file" and os.path.isdir(path):
        shown = "." if os.path.realpath(path) == os.path.realpath(".") else path
        editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
        return f"pip install {editable}'{shown}[{name}]'"
    return f"pip install {' '.join(_requirements(distribution.requires or (), name))}"


def document_uri(name: str) -> str | None:
    """Return the address of a document that is installed with the tool, or lies in its clone; None without it."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    installed = os.path.join(sys.prefix, "share", _NAME, name)
    in_clone = os.path.join(os.path.dirname(package), "docs", name)
    path = next(filter(os.path.isfile, (installed, in_clone)), None)
    if path is None:
        return None
    from urllib.request import pathname2url

    return f"file://{pathname2url(path)}"


def _requirements(requirements: list[str] | tuple[()], name: str) -> list[str]:
    """Return the packages of an extra, by their names alone."""
    of_extra = (line for line in requirements if line.endswith((f'extra == "{name}"', f"extra == '{name}'")))
    return [line.partition(";")[0].split(">=")[0].strip() for line in of_extra]
