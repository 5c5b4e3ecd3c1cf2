"""Can the backend make what is declared? What must hold before anything is rendered."""

from collections.abc import Iterator

from ..backends import backend_of
from ..model.backend import Limit
from ..model.kubernetes import Subject
from ..model.resolution import Environment
from . import CommittedOverlay, Finding, rule, sealed


def limits(environment: Environment) -> Iterator[tuple[str, Limit]]:
    """Yield the names of Secrets that the backend of an environment can't make, each with the reason."""
    for name, secret in environment.secrets.items():
        for limit in backend_of(environment).limits(environment, secret):
            yield name, limit


@rule("not-expressible", "error")
def not_expressible(overlay: CommittedOverlay) -> Iterator[Finding]:
    """A Secret is declared to be something that the overlay's backend can't make of it.

    The environment would get another Secret than the others, with a key too few or a value that was not decoded. The
    hint says what the operator can take instead; or give the overlay another backend.
    """
    environment = overlay.environment
    for name, limit in limits(environment):
        yield Finding(
            message=limit.message,
            place=limit.place,
            hint=limit.hint,
            subject=Subject(backend_of(environment).kind, environment.namespace, name),
            overlay=environment.name,
        )


RULES = (not_expressible,)
BEFORE_RENDERING = (*RULES, *sealed.RULES)
