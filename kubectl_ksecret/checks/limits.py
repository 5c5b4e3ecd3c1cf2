"""Can the backend make what is declared? What must hold before anything is rendered."""

from collections.abc import Iterator

from ..backends import backend_of
from ..model.kubernetes import Subject
from . import CommittedOverlay, Finding, rule, sealed


@rule("not-expressible", "error")
def not_expressible(overlay: CommittedOverlay) -> Iterator[Finding]:
    """A Secret is declared to be something that the overlay's backend can't make of it.

    The environment would get another Secret than the others, with a key too few or a value that was not decoded. The
    hint says what the operator can take instead; or give the overlay another backend.
    """
    environment = overlay.environment
    backend = backend_of(environment)
    for secret in environment.secrets.values():
        for limit in backend.limits(environment, secret):
            yield Finding(
                message=limit.message,
                place=limit.place,
                hint=limit.hint,
                subject=Subject(backend.kind, environment.namespace, secret.name),
                overlay=environment.name,
            )


RULES = (not_expressible,)
BEFORE_RENDERING = (*RULES, *sealed.RULES)
