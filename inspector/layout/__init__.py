"""A program's two views: the linker's sections beside the kernel's segments and areas."""
