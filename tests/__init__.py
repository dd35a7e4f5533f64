"""Tests that belong to no single package, by subject, and what all tests use: support/."""
