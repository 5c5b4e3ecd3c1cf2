"""The places in which Kubernetes objects name a Secret, as kustomize's nameReference needs them.

Kustomize follows a rename (namePrefix, nameSuffix) of kind Secret into the places that it knows. What an overlay
renders is of another kind, or is read in places that kustomize does not know. A path without a kind holds for every
kind, so for an operator's own workloads too.
"""

_POD = (
    "containers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "initContainers/envFrom/secretRef/name",
    "ephemeralContainers/env/valueFrom/secretKeyRef/name",
    "ephemeralContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/secret/secretName",
    "volumes/projected/sources/secret/name",
    "volumes/csi/nodePublishSecretRef/name",
)
_POD_SPECS = ("spec", "template/spec", "spec/template/spec", "spec/jobTemplate/spec/template/spec")
SECRET_READERS = (
    *(("", f"{spec}/{path}") for spec in _POD_SPECS for path in _POD),
    ("Ingress", "spec/tls/secretName"),
    ("Ingress", "metadata/annotations/ingress.kubernetes.io\\/auth-secret"),
    ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret"),
    ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret"),
    ("ServiceAccount", "imagePullSecrets/name"),
    ("ServiceAccount", "secrets/name"),
    ("Role", "rules/resourceNames"),
    ("ClusterRole", "rules/resourceNames"),
    ("PersistentVolume", "spec/azureFile/secretName"),
    ("StorageClass", "parameters/secretName"),
    ("StorageClass", "parameters/adminSecretName"),
    ("StorageClass", "parameters/userSecretName"),
    ("StorageClass", "parameters/secretRef"),
)
