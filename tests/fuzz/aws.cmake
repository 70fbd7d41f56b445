# SPDX-License-Identifier: Apache-2.0
target_compile_options(coffer_secrets_aws PRIVATE -fsanitize=fuzzer-no-link)
coffer_fuzz(aws_text SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_aws_text.c LINK coffer_secrets_aws)
