"""What the app is compared with, and the app itself as it is measured."""
