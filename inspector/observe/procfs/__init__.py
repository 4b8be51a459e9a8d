"""What /proc says of a process: pure parsers, one file of /proc each, and `files`, which opens them."""
