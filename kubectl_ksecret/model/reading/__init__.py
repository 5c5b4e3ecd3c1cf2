"""YAML read into the types of the API, and the JSON Schema that falls out of them."""
