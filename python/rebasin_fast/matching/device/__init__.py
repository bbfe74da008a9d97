"""Weight matching whose parameters stay on a CUDA device."""
