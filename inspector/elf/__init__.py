"""Bytes to ELF: headers as the kernel reads them, names as pyelftools does."""
