"""The certificate that an overlay names."""

from ..backends import backend_of
from ..errors import InputError
from ..model.resolution import Environment
from .validity import Validity


def read_validity(environment: Environment) -> Validity | None:
    """Return what is known of the certificate that an overlay names; None where its backend has none.

    Raises ValueError with what is wrong with its file.
    """
    named = backend_of(environment).certificate(environment)
    if named is None:
        return None
    from . import certificate  # with cryptography, which overlays of other backends do without

    try:
        return certificate.read(environment.project.read(named.path, named.named_at))
    except InputError as error:
        raise ValueError(error.mistakes[0].message) from None
