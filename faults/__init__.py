"""Proof by damage: clients that keep every answer, real faults, and what must hold after them."""
