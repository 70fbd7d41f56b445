# SPDX-License-Identifier: Apache-2.0
"""A key in a file, and the stanza that names it.

    seal = StaticSeal(folder, "k1")
    node.config_extra = seal.stanza()
    newer = seal.successor("k2")        # newer.stanza() has k1 as the previous key
"""
import os

from .node import Keys


class StaticSeal:
    def __init__(self, folder, key_id, previous=None):
        folder.mkdir(exist_ok=True)
        self.folder, self.key_id, self.previous = folder, key_id, previous
        self.key = os.urandom(32)
        self.file = folder / f"{key_id}.key"
        self.file.write_bytes(self.key)
        self.file.chmod(0o600)

    def successor(self, key_id):
        return StaticSeal(self.folder, key_id, self)

    def stanza(self, current=None):
        """`current`: the key's text, where it is not the file."""
        previous = "" if self.previous is None else f'''
  previous_key_id = "{self.previous.key_id}"
  previous_key = "file://{self.previous.file}"'''
        return f'''
seal "static" {{
  current_key_id = "{self.key_id}"
  current_key = "{current or f'file://{self.file}'}"{previous}
}}
'''


def initialise(node, shares=1, threshold=1):
    """The node is unsealed when this returns."""
    answer = node.api("PUT", "sys/init", recovery_shares=shares, recovery_threshold=threshold).ok(200)
    node.keys = Keys(answer.json["recovery_keys_base64"], threshold, answer.json["root_token"])
    return node.keys
