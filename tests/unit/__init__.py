"""Tests of the parts, without a network: they need the plugin's own requirements and no others."""
