"""What users send, as bytes and back."""
