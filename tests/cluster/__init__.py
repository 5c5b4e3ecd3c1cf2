"""A real Kubernetes API server with the real controllers, and the tests that need them."""
