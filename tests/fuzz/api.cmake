# SPDX-License-Identifier: Apache-2.0
coffer_fuzz(path SOURCES fuzz_path.c LINK coffer_http)
coffer_fuzz(params SOURCES fuzz_params.c LINK coffer_http)
coffer_fuzz(http_head SOURCES fuzz_http_head.c LINK coffer_http)
coffer_fuzz(proxy_header SOURCES fuzz_proxy_header.c LINK coffer_http)
coffer_fuzz(forwarded_for SOURCES fuzz_forwarded_for.c LINK coffer_http)
coffer_fuzz(forward_message SOURCES fuzz_forward_message.c LINK coffer_http)
