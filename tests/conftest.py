# SPDX-License-Identifier: Apache-2.0
"""The fixtures that all tests share are in lib/fixtures.py."""
pytest_plugins = ["lib.fixtures"]
