"""What tests of all packages use."""
