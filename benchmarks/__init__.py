"""How fast the plugin is: beside the others, by the number of names, and at Certbot's start.

``make bench`` runs all of it, in the world of the tests (tests/world); docs/speed.rst explains it.
"""
