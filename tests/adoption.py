"""A tree as teams have it before they declare anything, with the faults that such trees have."""

TREE = """-- .deploy/k8s/base/kustomization.yaml
resources:
- backend.yaml
- report.yaml
- smtp.yaml
- settings.yaml
- account.yaml
-- .deploy/k8s/base/account.yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: backend
  annotations: {azure.workload.identity/client-id: <CLIENT_ID>}
-- .deploy/k8s/base/settings.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {log-level: info}
-- .deploy/k8s/base/smtp.yaml
apiVersion: v1
kind: Secret
metadata: {name: smtp}
stringData: {smtp-password: a made-up password}
-- .deploy/k8s/base/backend.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend}
spec:
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend}}
    spec:
      imagePullSecrets: [{name: registry}]
      containers:
      - name: backend
        image: registry.example/backend
        env:
        - name: JWT_SECRET
          valueFrom: {secretKeyRef: {name: backend-secrets, key: jwt-secret}}
        - name: SMTP_PASSWORD
          valueFrom: {secretKeyRef: {name: smtp, key: smtp-password}}
-- .deploy/k8s/base/report.yaml
apiVersion: batch/v1
kind: CronJob
metadata: {name: report}
spec:
  schedule: "0 4 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: report
            image: registry.example/report
            env:
            - name: TOKEN
              valueFrom: {secretKeyRef: {name: backend-secrets, key: report-token}}
-- .deploy/k8s/overlays/test/kustomization.yaml
namespace: shop-test
resources:
- ../../base
- store.yaml
- backend-secrets.yaml
-- .deploy/k8s/overlays/test/store.yaml
apiVersion: external-secrets.io/v1beta1
kind: SecretStore
metadata: {name: vault}
spec:
  provider:
    azurekv:
      authType: WorkloadIdentity
      vaultUrl: https://shop-test.vault.azure.net
      serviceAccountRef: {name: backend}
-- .deploy/k8s/overlays/test/backend-secrets.yaml
apiVersion: external-secrets.io/v1beta1
kind: ExternalSecret
metadata: {name: backend-secrets}
spec:
  secretStoreRef: {name: vault, kind: SecretStore}
  target: {template: {metadata: {}}}
  data:
  - secretKey: jwt-secret
    remoteRef: {key: jwt-secret-test}
  - secretKey: api-key
    remoteRef: {key: api-key-test}
---
apiVersion: external-secrets.io/v1beta1
kind: ExternalSecret
metadata: {name: redis-auth}
spec:
  secretStoreRef: {name: vault, kind: SecretStore}
  target: {template: {metadata: {}}}
  data:
  - secretKey: password
    remoteRef: {key: redis-password-test}
-- .deploy/k8s/overlays/prod/kustomization.yaml
namespace: shop-prod
resources:
- ../../base
- store.yaml
- ../shared/redis.yaml
- backend-secrets.yaml
-- .deploy/k8s/overlays/shared/redis.yaml
apiVersion: v1
kind: Service
metadata: {name: redis}
spec: {ports: [{port: 6379}]}
-- .deploy/k8s/overlays/prod/store.yaml
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: vault}
spec:
  provider:
    azurekv:
      authType: WorkloadIdentity
      vaultUrl: https://shop-prod.vault.azure.net
      serviceAccountRef: {name: backend}
-- .deploy/k8s/overlays/prod/backend-secrets.yaml
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: backend-secrets}
spec:
  secretStoreRef: {name: vault, kind: SecretStore}
  target: {template: {metadata: {}}}
  data:
  - secretKey: jwt-secret
    remoteRef: {key: jwt-secret-test}
  - secretKey: api-token
    remoteRef: {key: api-key-prod}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: redis-secrets}
spec:
  secretStoreRef: {name: vault, kind: SecretStore}
  target: {template: {metadata: {}}}
  data:
  - secretKey: password
    remoteRef: {key: redis-password-prod}
"""
SAME = (
    "redis-auth=redis-secrets",
    "backend-secrets/api-key=backend-secrets/api-token",
)
FOLDERS = (".deploy/k8s/overlays/test", ".deploy/k8s/overlays/prod")
