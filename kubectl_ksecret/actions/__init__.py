"""What a command does, a module each: environments and ports in, a frozen result out."""
