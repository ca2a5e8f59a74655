"""Discovery: the layers of whole modules as tests, and the coverage of their backwards."""
