"""What makes the documentation: reference pages out of the code, and the site out of all pages.

No part of the distribution. ``python -m documentation reference`` writes docs/reference and docs/states.svg, which are
kept in the repository, so that they can be read there; tests fail when one differs from what the code gives.
``python -m documentation site`` builds build/site.
"""
