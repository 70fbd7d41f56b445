# SPDX-License-Identifier: Apache-2.0
# The layer itself must be instrumented too, or the fuzzer cannot see where it gets.
target_compile_options(coffer_storage PRIVATE -fsanitize=fuzzer-no-link)
coffer_fuzz(entry SOURCES fuzz_entry.c LINK coffer_storage)
coffer_fuzz(shamir SOURCES fuzz_shamir.c LINK coffer_storage)
coffer_fuzz(keyring SOURCES fuzz_keyring.c LINK coffer_storage)
coffer_fuzz(import SOURCES fuzz_import.c LINK coffer_storage)
coffer_fuzz(lmdb SOURCES fuzz_lmdb.c LINK coffer_storage)
