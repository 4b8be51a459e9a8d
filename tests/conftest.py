"""What all tests need."""

import os

# They read English, whatever their developer does.
os.environ["LC_ALL"] = "C.UTF-8"
