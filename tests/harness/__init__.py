# SPDX-License-Identifier: ISC
"""What the test runner is made of: guests (what to build), runs (one bounded run), cases."""
