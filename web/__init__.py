"""What any app needs: the base page, errors, HTTP, health checks, JSON APIs."""
