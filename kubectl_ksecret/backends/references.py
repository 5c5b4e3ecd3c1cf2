"""The places in which Kubernetes objects name a Secret, as kustomize's nameReference needs them.

Kustomize follows a rename (namePrefix, nameSuffix) of kind Secret into the places that it knows. What an overlay
renders is of another kind, or is read in places that kustomize does not know.
"""

from ..objects.references import followed

SECRET_READERS = tuple((reference.kind, reference.path) for reference in followed())
