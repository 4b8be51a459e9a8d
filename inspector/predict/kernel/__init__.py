"""Linux, simulated: execve, the ELF handler, address spaces and what faults do to them."""
