"""The service compared with other apps, with 1 to 1,024 clients."""
