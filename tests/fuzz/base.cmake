# SPDX-License-Identifier: Apache-2.0
target_compile_options(coffer_base PRIVATE -fsanitize=fuzzer-no-link)
coffer_fuzz(snapshot_file SOURCES fuzz_snapshot_file.c LINK coffer_base)
coffer_fuzz(pgp SOURCES fuzz_pgp.c LINK coffer_base)
