"""What stands behind the claims of pytest-gradcheck: every figure is printed by a command in here."""
