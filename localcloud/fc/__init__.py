"""Function Compute 3.0 on this host: reads ``s.yaml``, keeps warm worker processes, plays the triggers."""
