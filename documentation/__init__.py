"""What makes the documentation: reference pages out of the code, and the site out of all pages.

No part of the distribution. ``python -m documentation reference`` writes docs/reference, which is kept in the
repository, so that it can be read there; tests fail when a page differs from what the code gives.
``python -m documentation site`` builds build/site.
"""
