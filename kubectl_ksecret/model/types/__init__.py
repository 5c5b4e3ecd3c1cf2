"""What a team writes: the types of the API, as they are read from files."""
