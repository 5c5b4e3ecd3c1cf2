"""What a team declares: the types of the API, and how they are read from files."""
