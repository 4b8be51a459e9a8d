"""Bytes to ELF: headers as the kernel reads them, and the symbols that it does not."""
