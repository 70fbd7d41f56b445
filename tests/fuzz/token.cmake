# SPDX-License-Identifier: Apache-2.0
coffer_fuzz(batch_token SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_batch_token.c ${CMAKE_SOURCE_DIR}/src/core/token/token_batch.c
    LINK coffer_storage)
