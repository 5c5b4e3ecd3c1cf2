"""What must hold in declarations and overlays, alone and together."""
