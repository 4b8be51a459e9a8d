"""gdb, driven over GDB/MI: records and stops as types, one session a process."""
