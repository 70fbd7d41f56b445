# SPDX-License-Identifier: Apache-2.0
coffer_fuzz(net_frame SOURCES fuzz_net_frame.c LINK coffer_raft_net)
coffer_fuzz(net_certificate SOURCES fuzz_net_certificate.c LINK coffer_raft_net)
