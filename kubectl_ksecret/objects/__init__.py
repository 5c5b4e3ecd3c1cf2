"""Other people's Kubernetes objects: documents with places, who reads a Secret, and who makes one."""
