"""Hardware that knows no Linux."""
