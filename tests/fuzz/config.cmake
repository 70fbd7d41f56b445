# SPDX-License-Identifier: Apache-2.0
coffer_fuzz(hcl SOURCES fuzz_hcl.c LINK coffer_config)
