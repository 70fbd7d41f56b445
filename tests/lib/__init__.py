# SPDX-License-Identifier: Apache-2.0
"""What the tests in Python drive the real programs with. Start with node.py and fixtures.py."""
