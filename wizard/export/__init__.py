"""What was done, in forms that can be taken elsewhere: one module per format."""
