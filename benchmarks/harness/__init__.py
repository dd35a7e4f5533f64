"""The test harness compared with other tools for test databases."""
