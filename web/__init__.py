"""What every page and every app here needs: the base page, answers to errors, health."""
