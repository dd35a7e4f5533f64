"""The test harness beside other ways to a database for tests."""
