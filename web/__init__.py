"""The parts that any app needs: the base page, errors, HTTP, health, JSON APIs."""
