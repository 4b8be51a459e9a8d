"""System calls: one function each, named as in Linux, grouped as Linux groups them."""
