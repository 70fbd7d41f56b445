# SPDX-License-Identifier: Apache-2.0
coffer_fuzz(message SOURCES fuzz_message.c LINK coffer_raft)
