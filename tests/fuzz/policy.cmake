# SPDX-License-Identifier: Apache-2.0
coffer_fuzz(policy SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_policy.c ${CMAKE_SOURCE_DIR}/src/core/policy/policy.c
    ${CMAKE_SOURCE_DIR}/src/core/policy/policy_acl.c ${CMAKE_SOURCE_DIR}/src/core/policy/policy_match.c LINK coffer_config)
