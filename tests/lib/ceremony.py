# SPDX-License-Identifier: Apache-2.0
"""What people do with their shares: the calls that several of them make one after the other.

    new = rekey(node, node.keys.shares[:2], secret_shares=3, secret_threshold=2)   # the answer to the last share
"""
BARRIER, RECOVERY = "sys/rekey", "sys/rekey-recovery-key"


def begin(node, base=BARRIER, **options):
    """The nonce."""
    return node.api("PUT", f"{base}/init", node.keys.root_token, **options).ok(200).json["nonce"]


def give(node, shares, nonce, path=f"{BARRIER}/update"):
    """Gives shares; the answer to the last one."""
    for share in shares:
        answer = node.api("PUT", path, node.keys.root_token, key=share, nonce=nonce).ok(200)
    return answer.json


def rekey(node, shares, base=BARRIER, **options):
    return give(node, shares, begin(node, base, **options), f"{base}/update")
