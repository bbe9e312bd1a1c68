"""The benchmark suite: Perdure, its peers and the database's own limit side by side. Run it with ``make bench``."""
