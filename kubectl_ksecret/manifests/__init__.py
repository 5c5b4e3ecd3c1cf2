"""What is committed: the folder of an overlay's manifests, the record of what is sealed, the kustomizations."""
