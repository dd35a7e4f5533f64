"""The apps that are measured: Counter, and those that it is compared with."""
