"""The flags that cluster commands share with kubectl."""

import os
import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from ..model.types.names import seconds

if TYPE_CHECKING:
    from ..cluster.api import Api

_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+|[0-9]+")


def duration(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    """Return the seconds of a time as Go writes it. A number alone is seconds, as with kubectl."""
    if not _DURATION.fullmatch(text):
        raise click.BadParameter(f"{text!r} is not a duration such as 30s or 5m")
    return float(text) if text.isdecimal() else seconds(text)


def flags(*, namespace: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add kubectl's flags; the command gets `connect`, which returns the cluster's API.

    Without `namespace` the command has such an option of its own, and hands its value to `connect`.
    """
    names = _NAMES if namespace else tuple(name for name in _NAMES if name != "namespace")

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_connection(**arguments: Any) -> Any:
            connect = _connection({name: arguments.pop(name) for name in names})
            return command(connect=connect, **arguments)

        decorated: Callable[..., Any] = with_connection
        options = (*_SERVER, _NAMESPACE, *_USER) if namespace else (*_SERVER, *_USER)
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def controller_options(purpose: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options that name the Sealed Secrets controller; the command gets `controller`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_controller(controller_namespace: str, controller_name: str | None, **arguments: Any) -> Any:

            from ..cluster.certificates import Controller

            names = {"names": (controller_name,)} if controller_name else {}
            return command(controller=Controller(namespace=controller_namespace, **names), **arguments)

        namespace = click.option(
            "--controller-namespace",
            metavar="NAME",
            default="kube-system",
            show_default=True,
            help=f"Namespace of the Sealed Secrets controller{purpose}.",
        )
        name = click.option(
            "--controller-name", metavar="NAME", help=f"Service of the Sealed Secrets controller{purpose}."
        )
        return namespace(name(with_controller))

    return decorate


_NAMESPACE = click.option(
    "-n", "--namespace", metavar="NAME", help="The namespace; it must be the one that is deployed to."
)
_SERVER = (
    click.option("--kubeconfig", metavar="FILE", help="The kubeconfig file."),
    click.option("--context", metavar="NAME", help="The context of the kubeconfig."),
)
_USER = (
    click.option("--as", "impersonated_user", metavar="USER", help="The user to impersonate."),
    click.option("--as-group", "impersonated_groups", metavar="GROUP", multiple=True, help="A group to impersonate."),
    click.option("--as-uid", "impersonated_uid", metavar="UID", help="The UID to impersonate."),
    click.option(
        "--request-timeout",
        metavar="DURATION",
        default="0",
        callback=duration,
        help="How long one request may take, such as 30s; 0 is for ever.",
    ),
)
_NAMES = (
    "kubeconfig",
    "context",
    "namespace",
    "impersonated_user",
    "impersonated_groups",
    "impersonated_uid",
    "request_timeout",
)


def _connection(values: dict[str, Any]) -> "Callable[..., Api]":
    def connect(**more: Any) -> "Api":
        from ..cluster import api, kubeconfig

        return api.connect(kubeconfig.KubectlFlags(**values, **more), os.environ)

    return connect
