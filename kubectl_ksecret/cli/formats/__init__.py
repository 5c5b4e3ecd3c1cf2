"""What a command shows, as text: pure functions from results to text."""
