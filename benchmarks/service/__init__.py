"""The service beside other apps, and from 1 to 1,024 clients."""
