"""What all tests share: pytest's own tester of plugins."""

pytest_plugins = ["pytester"]
